import type { Result } from './run.ts';

const verdicts = ['passed', 'failed', 'pending', 'not offered'] as const;

/** Every case that did not pass, then counts by section; the last line is `N passed, N failed` alone. */
export function report(results: readonly Result[]): string {
  const told = results.filter(({ verdict }) => verdict === 'failed').map(failureText);
  const quiet = results
    .filter(({ verdict }) => verdict === 'pending' || verdict === 'not offered')
    .map(({ section, statement, verdict, why }) => `${verdict}: ${section}: ${statement} (${why})`);
  const sections = [...new Set(results.map(({ section }) => section))];
  const width = Math.max(...sections.map((name) => name.length));
  const table = sections.map((name) => {
    const own = results.filter(({ section }) => section === name);
    const counts = verdicts
      .map((verdict) => ({ verdict, count: countOf(own, verdict) }))
      .filter(({ verdict, count }) => verdict === 'passed' || count > 0)
      .map(({ verdict, count }) => `${count} ${verdict}`);
    return `${name.padEnd(width)}  ${counts.join(', ')}`;
  });
  const counts = `${countOf(results, 'passed')} passed, ${countOf(results, 'failed')} failed`;
  return [...told, ...quiet, ...table, '', totals(results), counts].join('\n');
}

export function failureText({ section, statement, why, request, expected, got }: Result): string {
  const exchange =
    request === ''
      ? []
      : [`  request  ${indented(request)}`, `  expected ${expected}`, `  got      ${got}`];
  return [
    `FAILED ${section}: ${statement}`,
    ...(why === '' ? [] : [`  ${indented(why)}`]),
    ...exchange,
    '',
  ].join('\n');
}

export const countOf = (results: readonly Result[], verdict: Result['verdict']): number =>
  results.filter((result) => result.verdict === verdict).length;

/** How many cases came to each end. */
export const totals = (results: readonly Result[]): string =>
  verdicts.map((verdict) => `${countOf(results, verdict)} ${verdict}`).join(', ');

const indented = (text: string): string => text.replaceAll('\n', '\n           ');
