import type { IngestFailure } from '../../domain/image/events.ts';
import type { Config } from '../../infra/config/config.ts';
import type { DigestThreads } from '../../infra/digests/digest-threads.ts';
import { type DownloadOptions, download, type Told } from '../../infra/download/download.ts';
import { DownloadFailed, type DownloadFailure } from '../../infra/download/failures.ts';
import { bandwidth } from '../../infra/download/pace.ts';
import { hostSlots } from '../../infra/download/slots.ts';
import { keptConnections } from '../../infra/net/connections.ts';
import { importGuard } from '../../infra/net/import-guard.ts';
import { Failed } from './claim.ts';
import type { Fetcher } from './fetch.ts';

/** Fetches over the network, as the operator allows it. */
export interface Downloads extends Fetcher {
  close(): void;
}

export function downloads(config: Config, threads: DigestThreads): Downloads {
  const connections = keptConnections();
  const perSecond = config['import-bandwidth'];
  const common = {
    threads,
    connections,
    parallel: config['import-connections'],
    stallMs: config['import-stall-timeout'] * 1_000,
    patienceMs: config['import-patience'] * 1_000,
    slots: hostSlots(config['import-host-connections']),
    ...(perSecond === 0 ? {} : { pace: bandwidth(perSecond) }),
  } as const satisfies Partial<DownloadOptions>;
  const guard = importGuard(config);

  return {
    describe: async () => null,
    async fetch(_claim, method, into, { signal, limitBytes, admit, tell }) {
      if (method.name !== 'web-download')
        throw new Failed('source-refused', 'it cannot be fetched');
      const told = ({ bytes, total, problem }: Told): void =>
        tell({ done: bytes, total, waiting: problem });
      const { uri, expected } = method;
      const options = { ...common, guard, signal, limitBytes, admit, tell: told };
      const { size, etag, lastModified, digests } = await orFailed(
        download({ url: uri }, into, expected === null ? options : { ...options, expected }),
      );
      return { size, source: { etag, lastModified, verified: Object.keys(digests) } };
    },
    close: connections.close,
  };
}

const reasons = {
  'source-refused': 'source-refused',
  'source-gone': 'source-gone',
  'source-changed': 'source-changed',
  'source-lied': 'source-lied',
  'source-too-large': 'too-large',
  'checksum-mismatch': 'digest-mismatch',
  'source-unavailable': 'source-unavailable',
} as const satisfies Record<DownloadFailure, IngestFailure>;

/** In the words of the log. */
export async function orFailed<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof DownloadFailed)
      throw new Failed(reasons[error.reason], error.message, error);
    throw error;
  }
}
