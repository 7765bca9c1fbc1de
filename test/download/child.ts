import { digestThreads } from '../../infra/digests/digest-threads.ts';
import { download } from '../../infra/download/download.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { guardFor } from '../support/downloads.ts';

/** What a process that downloads, and is killed at it, is told. */
export interface ChildTask {
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  readonly key: { readonly imageId: string; readonly uploadId: string };
  readonly sha256: string;
  readonly parallel: number;
  readonly checkpointBytes: number;
}

const task = JSON.parse(process.argv[2] ?? '') as ChildTask;
const threads = digestThreads({ count: 1 });
const into = await filesystemStaging(task.directory).resume(task.key);
await download({ url: task.url }, into, {
  guard: guardFor(task.port),
  threads,
  signal: new AbortController().signal,
  expected: { digests: { sha256: task.sha256 }, size: null, sums: null },
  parallel: task.parallel,
  segmentBytes: 1024 * 1024,
  checkpointBytes: task.checkpointBytes,
  checkpointMs: 60_000,
});
await into.close();
await threads.close();
