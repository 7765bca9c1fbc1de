import type { IngestFailure } from '../../domain/image/events.ts';
import type { Config } from '../../infra/config/config.ts';
import type { DigestThreads } from '../../infra/digests/digest-threads.ts';
import { type DownloadOptions, download, type Told } from '../../infra/download/download.ts';
import { DownloadFailed, type DownloadFailure, SourceGone } from '../../infra/download/failures.ts';
import { keptTexts } from '../../infra/download/kept-texts.ts';
import { bandwidthPerKey, within } from '../../infra/download/pace.ts';
import { patience } from '../../infra/download/patience.ts';
import { hostSlots } from '../../infra/download/slots.ts';
import { hostNamed } from '../../infra/download/source.ts';
import { textOf } from '../../infra/download/text.ts';
import type { KeystoneLogin } from '../../infra/identity/keystone/session.ts';
import type { ImportTokens } from '../../infra/import-tokens/tokens.ts';
import { keptConnections } from '../../infra/net/connections.ts';
import { importGuard } from '../../infra/net/import-guard.ts';
import { type Claim, Failed } from './claim.ts';
import type { Fetcher } from './fetch.ts';
import {
  credentials,
  dataUrl,
  describedBy,
  documentUrl,
  endpointGuard,
  type RemoteImage,
} from './remote-image.ts';

/** Fetches over the network, as the operator allows it. */
export interface Downloads extends Fetcher {
  close(): void;
}

export interface DownloadPorts {
  readonly threads: DigestThreads;
  readonly tokens: Pick<ImportTokens, 'find'>;
  /** Who we are to other image services; null without Keystone. */
  readonly login: KeystoneLogin | null;
}

const firstPauseMs = 100;
const leastBytesPerStall = 1;
const mostDocumentBytes = 4 * 1024 ** 2;
/** Long enough for images that are fetched together; short, since what is wrong in one may be mended at once. */
const keepSumsMs = 10_000;

export function downloads(config: Config, { threads, tokens, login }: DownloadPorts): Downloads {
  const connections = keptConnections();
  const ofAll = bandwidthPerKey(config['import-bandwidth']);
  const ofProject = bandwidthPerKey(config['import-project-bandwidth']);
  const ofHost = bandwidthPerKey(config['import-host-bandwidth']);
  const reach = {
    connections,
    stallMs: config['import-stall-timeout'] * 1_000,
  } as const;
  const patienceMs = config['import-patience'] * 1_000;
  const common = {
    ...reach,
    threads,
    parallel: config['import-connections'],
    patienceMs,
    slots: hostSlots(config['import-host-connections']),
    keptSums: keptTexts(keepSumsMs),
  } as const satisfies Partial<DownloadOptions>;
  const guard = importGuard(config);
  const rules = {
    prefixes: config['glance-download-properties'],
    diskFormats: config['disk-formats'],
    containerFormats: config['container-formats'],
  };

  /** In whose name a remote image is asked for; the service's own token is renewed on the way. */
  const headersFor = async ({ uploadId }: Claim) => {
    const token = await tokens.find(uploadId);
    if (token === undefined || login === null)
      throw new Failed(
        'source-refused',
        'the token that it was asked for with is not there any more',
      );
    return async () => credentials(token, await login.token());
  };

  const described = async (claim: Claim, image: RemoteImage, signal: AbortSignal) => {
    const source = { url: documentUrl(image), headers: await headersFor(claim) };
    const text = await ofRemote(
      image,
      textOf(source, {
        ...reach,
        guard: endpointGuard(image),
        patience: patience({ patienceMs, firstPauseMs, signal, tell: () => {} }),
        leastBytesPerStall,
        signal,
        mostBytes: mostDocumentBytes,
        tooLarge: 'What the other image service says of the image is too large',
      }),
    );
    return describedBy(text, image, rules);
  };

  return {
    async describe(claim, method, signal) {
      return method.name === 'glance-download'
        ? orFailed(described(claim, method, signal))
        : { expected: method.expected };
    },
    async fetch(claim, method, into, { expected, tell, projectId, ...ask }) {
      const told = ({ bytes, total, problem }: Told): void =>
        tell({ done: bytes, total, waiting: problem });
      const source =
        method.name === 'web-download'
          ? { url: method.uri }
          : { url: dataUrl(method), headers: await headersFor(claim) };
      const { size, etag, lastModified, digests } = await orFailed(
        download(source, into, {
          ...common,
          ...ask,
          pace: within(ofHost(hostNamed(source.url)), ofProject(projectId ?? ''), ofAll('')),
          guard: method.name === 'web-download' ? guard : endpointGuard(method),
          tell: told,
          ...(expected === null ? {} : { expected }),
        }),
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

/** Whoever asked gave a region and an id, and no URL that could be checked. */
async function ofRemote<T>({ region, imageId }: RemoteImage, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (!(error instanceof SourceGone)) throw error;
    throw new SourceGone(
      `The image service of ${region} answers 404 for image ${imageId}: there is none, or not for you`,
      error,
    );
  }
}

/** In the words of the log. */
async function orFailed<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof DownloadFailed)
      throw new Failed(reasons[error.reason], error.message, error);
    throw error;
  }
}
