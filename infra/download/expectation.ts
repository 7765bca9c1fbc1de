import type { Expected } from '../../domain/image/events.ts';
import { answerOf } from './answer.ts';
import { bodyOf } from './body.ts';
import { Setback, SourceLied, SourceTooLarge } from './failures.ts';
import type { Pace } from './pace.ts';
import type { Patience } from './patience.ts';
import { get, type Reach } from './source.ts';
import { digestsIn } from './sums.ts';

export const nothingExpected: Expected = { digests: {}, size: null, sums: null };

/** Vendors' files of checksums have some KiB. */
const mostSumsBytes = 4 * 1024 * 1024;

export interface SumsOptions extends Reach {
  readonly pace: Pace;
  readonly patience: Patience;
  readonly leastBytesPerStall: number;
  readonly signal: AbortSignal;
}

/** Every digest that the file has to have: those given, and those that the vendor publishes. */
export async function expectedDigests(
  expected: Expected,
  fileUrl: string,
  options: SumsOptions,
): Promise<Readonly<Record<string, string>>> {
  if (expected.sums === null) return expected.digests;
  const published = digestsIn(await textAt(expected.sums, options), nameIn(fileUrl));
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

async function textAt(url: string, options: SumsOptions): Promise<string> {
  for (;;) {
    try {
      return await oneTry(url, options);
    } catch (error) {
      if (!(error instanceof Setback)) throw error;
      await options.patience.wait(error);
    }
  }
}

async function oneTry(url: string, options: SumsOptions): Promise<string> {
  const { signal, stallMs, leastBytesPerStall: leastBytes } = options;
  const reply = await get({ url }, options, {}, signal);
  try {
    answerOf(reply.response, reply.host, null);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of bodyOf(reply, { stallMs, leastBytes })) {
      size += chunk.length;
      if (size > mostSumsBytes)
        throw new SourceTooLarge('The file of checksums is too large to be one: check its URL');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    if (!reply.response.readableEnded) reply.response.destroy();
  }
}
