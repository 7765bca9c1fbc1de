import type { Digests } from '../../domain/image/events.ts';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { StagedReader } from '../../domain/staging.ts';
import type { DigestThreads } from '../../infra/digests/digest-threads.ts';
import { inspectStaged } from './inspection.ts';

const algorithms = ['md5', hashAlgorithm];

/** What has to be known of an upload's bytes before they may be an image, or why they may not. */
export type Prepared =
  | { readonly refused: string }
  | {
      readonly digests: Digests;
      /** The real format. */
      readonly detected: string;
      /** Bytes. */
      readonly virtualSize: number | null;
      readonly warning?: string;
    };

/** Digests and inspection of one staged upload, in memory only: losing it costs time. */
export interface Preparation {
  readonly declared: Declared;
  /** The upload is whole and has `size` bytes: resolves when everything is known. The same promise at each call. */
  finish(size: number): Promise<Prepared>;
  /** Ends the work, if it is not over, and closes the reader. */
  cancel(): Promise<void>;
}

/** Begins on whatever bytes there are, and follows the others. Takes the reader over. */
export function prepare(
  reader: StagedReader,
  declared: Declared,
  threads: DigestThreads,
): Preparation {
  if (reader.path === null) throw new TypeError('digest threads read local files only');
  const stop = new AbortController();
  let tellSize: (size: number) => void = () => {};
  const size = new Promise<number>((resolve) => {
    tellSize = resolve;
  });
  const digesting = threads.follow(reader.path, algorithms);
  const inspecting = inspectStaged(reader, declared, size, stop.signal);
  inspecting.catch(() => {});

  let finishing: Promise<Prepared> | undefined;
  const finish = async (finalSize: number): Promise<Prepared> => {
    tellSize(finalSize);
    const digests = digesting.finish(finalSize);
    digests.catch(() => {});
    const verdict = await inspecting;
    if (!verdict.accepted) {
      digesting.cancel();
      return { refused: verdict.reason };
    }
    const { format: detected, accepted: _, ...rest } = verdict;
    return { ...rest, detected, digests: await digests };
  };

  let closing: Promise<void> | undefined;
  return {
    declared,
    finish(finalSize) {
      finishing ??= finish(finalSize);
      finishing.catch(() => {});
      return finishing;
    },
    cancel() {
      closing ??= (async () => {
        stop.abort(new Error('the preparation was cancelled'));
        digesting.cancel();
        await inspecting.catch(() => {});
        await reader.close();
      })();
      return closing;
    },
  };
}
