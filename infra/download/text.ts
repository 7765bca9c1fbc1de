import { answerOf } from './answer.ts';
import { bodyOf } from './body.ts';
import { Setback, SourceTooLarge } from './failures.ts';
import type { Patience } from './patience.ts';
import { get, type Reach, type Source } from './source.ts';

export interface TextOptions extends Reach {
  readonly patience: Patience;
  /** Slower than this in `stallMs` is a stall. */
  readonly leastBytesPerStall: number;
  readonly signal: AbortSignal;
  /** More is refused, with `tooLarge` for the image's owner. */
  readonly mostBytes: number;
  readonly tooLarge: string;
}

/** A small document, whole: tried until patience ends. Rejects with a `DownloadFailed`, or with the signal's reason. */
export async function textOf(source: Source, options: TextOptions): Promise<string> {
  for (;;) {
    try {
      return await oneTry(source, options);
    } catch (error) {
      if (!(error instanceof Setback)) throw error;
      await options.patience.wait(error);
    }
  }
}

async function oneTry(source: Source, options: TextOptions): Promise<string> {
  const { signal, stallMs, leastBytesPerStall: leastBytes, mostBytes, tooLarge } = options;
  const reply = await get(source, options, {}, signal);
  try {
    answerOf(reply.response, reply.host, null);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of bodyOf(reply, { stallMs, leastBytes })) {
      size += chunk.length;
      if (size > mostBytes) throw new SourceTooLarge(tooLarge);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    if (!reply.response.readableEnded) reply.response.destroy();
  }
}
