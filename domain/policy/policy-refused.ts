/** A policy that cannot be used. Each problem names the rule it is in and what to write instead. */
export class PolicyRefused extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the policy has ${problems.length} problem(s):\n${problems.join('\n')}`);
    this.name = 'PolicyRefused';
    this.problems = problems;
  }
}

/** What is wrong with one rule's text. */
export class BadRule extends Error {
  override readonly name = 'BadRule';
}

/** A piece of a rule for a message: short, on one line. */
export const shown = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
