/** What is wrong with a manifest, and where. */
export interface Problem {
  /** Place of the image in the manifest, from 1; null where it is about the whole. */
  readonly image: number | null;
  readonly field: string | null;
  /** Of the text, from 1; null where it is not known. */
  readonly line: number | null;
  readonly message: string;
}

/** Nobody reads more of them at once. */
export const mostProblems = 100;

/** The manifest will not do: every problem that was found, up to a bound. */
export class ManifestRefused extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const shown = problems.slice(0, mostProblems);
    super(shown.map(textOf).join('\n'));
    this.name = 'ManifestRefused';
    this.problems = shown;
  }
}

export function textOf({ image, field, line, message }: Problem): string {
  const place = [
    line === null ? [] : [`line ${line}`],
    image === null ? [] : [`image ${image}`],
    field === null ? [] : [field],
  ].flat();
  return place.length === 0 ? message : `${place.join(', ')}: ${message}`;
}
