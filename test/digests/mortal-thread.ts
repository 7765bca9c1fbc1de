import { parentPort } from 'node:worker_threads';
import type { ToThread } from '../../infra/digests/protocol.ts';
import '../../infra/digests/digest-thread.ts';

/** A digest thread that dies when it is told of a file named `poison`. */
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'start' && message.path.endsWith('/poison')) process.exit(3);
});
