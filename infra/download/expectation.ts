import type { Expected } from '../../domain/image/events.ts';
import { SourceLied } from './failures.ts';
import type { KeptTexts } from './kept-texts.ts';
import { digestsIn } from './sums.ts';
import { type TextOptions, textOf } from './text.ts';

export const nothingExpected: Expected = { digests: {}, size: null, sums: null };

/** Vendors' files of checksums have some KiB. */
const sums = {
  mostBytes: 4 * 1024 * 1024,
  tooLarge: 'The file of checksums is too large to be one: check its URL',
} as const;

/** Every digest that the file has to have: those given, and those that the vendor publishes. */
export async function expectedDigests(
  expected: Expected,
  fileUrl: string,
  options: Omit<TextOptions, keyof typeof sums> & { readonly keptSums: KeptTexts },
): Promise<Readonly<Record<string, string>>> {
  const { sums: url } = expected;
  if (url === null) return expected.digests;
  const load = (): Promise<string> => textOf({ url }, { ...options, ...sums });
  const text = await options.keptSums(url, load, options.signal);
  const published = digestsIn(text, nameIn(fileUrl));
  for (const [algorithm, hex] of Object.entries(expected.digests))
    if ((published[algorithm] ?? hex) !== hex)
      throw new SourceLied(
        `The ${algorithm} that was given is not the one in the file of checksums: check which is right`,
      );
  return { ...published, ...expected.digests };
}

function nameIn(url: string): string {
  const { pathname } = new URL(url);
  const name = pathname.slice(pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
