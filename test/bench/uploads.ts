import { startDaguerre } from '../support/daguerre.ts';
import { upload } from './bytes.ts';
import { atConcurrency, sender } from './load.ts';

export interface UploadFigures {
  readonly images: number;
  /** Bytes of each. */
  readonly size: number;
  /** Images a second, created, uploaded and active, by how many workers there are. */
  readonly perSecond: Readonly<Record<string, number>>;
}

const concurrency = 8;

/** A system of its own for each number of workers. */
export async function measureUploads(images: number, size: number): Promise<UploadFigures> {
  const perSecond: Record<string, number> = {};
  for (const workers of ['1', '2']) {
    const daguerre = await startDaguerre({ args: ['--log-level', 'warn', '--workers', workers] });
    const { send, close } = sender(daguerre.url, concurrency);
    try {
      await atConcurrency(concurrency, concurrency, () => upload(send, size));
      const rate = await atConcurrency(concurrency, images, () => upload(send, size));
      perSecond[workers] = rate.perSecond;
    } finally {
      close();
      await daguerre.stop();
    }
  }
  return { images, size, perSecond };
}
