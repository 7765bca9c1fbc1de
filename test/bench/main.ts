import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { startDaguerre } from '../support/daguerre.ts';
import { againstTable, measureAgainst } from './against.ts';
import { type AuditFigures, measureAudit } from './audit.ts';
import { type BusFigures, measureBus } from './bus.ts';
import { type ByteRates, measureBytes } from './bytes.ts';
import { type Compared, type HistoryFigures, measureHistory } from './history.ts';
import type { Work } from './image-api.ts';
import type { Rate } from './load.ts';
import { type LogFigures, measureLog } from './log.ts';
import { measureRequests, type RequestRates } from './requests.ts';
import { measureStream, type StreamFigures } from './stream.ts';
import { measureUploads, type UploadFigures } from './uploads.ts';
import { measureWebhooks, type WebhookFigures } from './webhooks.ts';

const usage = `Usage: npm run bench -- [--quick] [--bus] [--webhooks] [--stream] [--uploads]
                        [--history] [--audit] [--json FILE]
       npm run bench -- --against URL [--against-pids PID,PID] [--rounds N] [--quick]
                        [--images N] [--chart FILE] [--json FILE]

Measures the embedded profile on this machine, the client on the same cores. It runs
in a temporary data directory, on a free port, and removes what it made.

  --bus          JetStream as well: needs nats-server
  --webhooks     a webhook as well
  --stream       a client of server-sent events as well
  --uploads      many images of 10 MiB as well, with one worker and with two
  --history      images as they were, against images as they are, as well
  --audit        the audit tree: how fast it is made and proves, as well
  --quick        small counts: shows that it works, not how fast
  --json FILE    the figures as JSON, too

  --against URL  another Image API instead: both in turn, medians of --rounds (3). With
                 OS_AUTH_URL and the clients' other variables both ask that Keystone.
                 --against-pids are its processes, whose CPU counts; --images is how many
                 are in the catalogue while it is listed (10,000); --chart draws an SVG
`;

const mebibyte = 1024 * 1024;
const full = {
  auditImages: 50_000,
  auditProofs: 1_000,
  images: 10_000,
  shows: 20_000,
  lists: 5_000,
  bytes: 1024 * mebibyte,
  appends: 5_000,
  logImages: 50_000,
  busAppends: 4_000,
  busImages: 10_000,
  webhookAppends: 4_000,
  streamAppends: 4_000,
  uploads: 50,
  pastImages: 20_000,
  pastQuestions: 1_000,
};
const quick = {
  auditImages: 200,
  auditProofs: 50,
  images: 200,
  shows: 200,
  lists: 100,
  bytes: 24 * mebibyte,
  appends: 100,
  logImages: 500,
  busAppends: 100,
  busImages: 500,
  webhookAppends: 100,
  streamAppends: 100,
  uploads: 10,
  pastImages: 200,
  pastQuestions: 50,
};
type Counts = typeof full;

const fullWork: Work = { images: 10_000, requests: 600, uploads: 50, large: 1024 * mebibyte };
const quickWork: Work = { images: 100, requests: 60, uploads: 8, large: 32 * mebibyte };

// biome-ignore lint/style/noProcessEnv: the clients' variables say which Keystone is asked
const benchEnvironment = process.env;

interface Figures {
  readonly bytes: ByteRates;
  readonly requests: RequestRates;
  readonly log: LogFigures;
  readonly bus?: BusFigures;
  readonly webhooks?: WebhookFigures;
  readonly stream?: StreamFigures;
  readonly uploads?: UploadFigures;
  readonly audit?: AuditFigures;
  readonly history?: HistoryFigures;
}

async function measure(counts: Counts): Promise<Figures> {
  const daguerre = await startDaguerre({ args: ['--log-level', 'warn'] });
  const stop = () => daguerre.stop();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => void stop().then(() => process.exit(130)));
  try {
    const bytes = await measureBytes(daguerre, counts.bytes);
    const requests = await measureRequests(daguerre.url, counts);
    const log = await measureLog(daguerre, { appends: counts.appends, images: counts.logImages });
    return { bytes, requests, log };
  } finally {
    await stop();
  }
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

function table(
  { bytes, requests, log, bus, webhooks, stream, uploads, history }: Figures,
  counts: Counts,
): string {
  const size = `${counts.bytes / mebibyte} MiB`;
  const rate = ({ perSecond, p50Ms, p99Ms }: Rate): string =>
    `${whole(perSecond)} requests/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
  const rows = [
    ['create', rate(requests.create)],
    ['show', rate(requests.show)],
    [`list 25 of ${whole(counts.images)}`, rate(requests.list)],
    [
      `upload ${size} until active`,
      `${whole(bytes.upload)} MB/s (md5 alone, one thread: ${whole(bytes.md5)} MB/s)`,
    ],
    [`download ${size}`, `${whole(bytes.download)} MB/s`],
    ['memory per upload', `${bytes.memory.toFixed(1)} MiB over idle, gateway and worker, at most`],
    [
      'append to visible',
      `p50 ${log.visibleP50Ms.toFixed(1)} ms, p99 ${log.visibleP99Ms.toFixed(1)} ms`,
    ],
    ['rebuild', `${whole(log.rebuildPerSecond)} events/s (${whole(log.rebuiltEvents)} events)`],
    ...(bus === undefined ? [] : busRows(bus)),
    ...(webhooks === undefined ? [] : [webhookRow(webhooks)]),
    ...(stream === undefined ? [] : [streamRow(stream)]),
    ...(uploads === undefined ? [] : uploadRows(uploads)),
    ...(history === undefined ? [] : historyRows(history)),
  ] as const;
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n');
}

const webhookRow = ({ perSecond, toldP50Ms, toldP99Ms }: WebhookFigures) =>
  [
    `append to webhook, ${perSecond}/s`,
    `p50 ${toldP50Ms.toFixed(1)} ms, p99 ${toldP99Ms.toFixed(1)} ms`,
  ] as const;

const streamRow = ({ perSecond, streamedP50Ms, streamedP99Ms }: StreamFigures) =>
  [
    `append to stream, ${perSecond}/s`,
    `p50 ${streamedP50Ms.toFixed(1)} ms, p99 ${streamedP99Ms.toFixed(1)} ms`,
  ] as const;

const uploadRows = ({ images, size, perSecond }: UploadFigures) =>
  Object.entries(perSecond).map(
    ([workers, rate]) =>
      [
        `${images} x ${size / mebibyte} MiB, workers: ${workers}`,
        `${rate.toFixed(1)} images/s until active`,
      ] as const,
  );

const historyRows = ({
  askedBefore,
  bytesPerEvent,
  changes,
  events,
  firstAsked,
  rebuildPerSecond,
}: HistoryFigures) => {
  const ratio = ({ asOf, live }: Compared, what: keyof Compared['live']): string => {
    const [then, now] = [asOf[what].p50Ms, live[what].p50Ms];
    return `p50 ${then.toFixed(2)} ms, as it is ${now.toFixed(2)} ms (${(then / now).toFixed(1)} x)`;
  };
  const both = (what: keyof Compared['live']) =>
    [
      `${what} as of then, ${whole(events)} events`,
      `first asked ${ratio(firstAsked, what)}; asked before ${ratio(askedBefore, what)}`,
    ] as const;
  return [
    both('show'),
    both('list'),
    both('list by name and tag'),
    ['changes of an image', `p50 ${changes.p50Ms.toFixed(1)} ms`],
    [
      'history kept',
      `${whole(bytesPerEvent)} bytes per event, rebuilt at ${whole(rebuildPerSecond)} events/s`,
    ],
  ] as const;
};

/** Under the table. */
const auditText = (audit: AuditFigures | undefined): string =>
  audit === undefined
    ? ''
    : `audit tree of ${whole(audit.events)} events: made at ${whole(audit.builtPerSecond)} events/s (${whole(audit.builtPerProcessorSecond)} a processor second), compared at ${whole(audit.checkedPerSecond)} events/s; proof p50 ${audit.proofP50Ms.toFixed(1)} ms, p99 ${audit.proofP99Ms.toFixed(1)} ms\n`;

const busRows = (bus: BusFigures) =>
  [
    [
      `append to consumer, ${bus.perSecond}/s`,
      `p50 ${bus.consumedP50Ms.toFixed(1)} ms, p99 ${bus.consumedP99Ms.toFixed(1)} ms`,
    ],
    [
      'relay from nothing',
      `${whole(bus.relayPerSecond)} events/s (${whole(bus.relayedEvents)} events)`,
    ],
  ] as const;

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      bus: { type: 'boolean', default: false },
      webhooks: { type: 'boolean', default: false },
      stream: { type: 'boolean', default: false },
      uploads: { type: 'boolean', default: false },
      history: { type: 'boolean', default: false },
      audit: { type: 'boolean', default: false },
      json: { type: 'string' },
      against: { type: 'string' },
      'against-pids': { type: 'string', default: '' },
      rounds: { type: 'string', default: '3' },
      images: { type: 'string' },
      chart: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const counts = values.quick ? quick : full;
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: os.availableParallelism(),
    processor: os.cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
  };
  const save = async (measured: object): Promise<void> => {
    if (values.json !== undefined)
      await writeFile(values.json, `${JSON.stringify({ machine, ...measured }, undefined, 2)}\n`);
  };
  if (values.against !== undefined) {
    const work = values.quick ? quickWork : fullWork;
    const comparison = await measureAgainst({
      other: values.against,
      otherPids: values['against-pids'].split(',').filter(Boolean).map(Number),
      rounds: Number(values.rounds),
      work: values.images === undefined ? work : { ...work, images: Number(values.images) },
      ...(values.chart === undefined ? {} : { chart: values.chart }),
      env: benchEnvironment,
    });
    process.stdout.write(`${againstTable(comparison)}\n`);
    const [ours, others] = [comparison.ours, comparison.others].map(Object.fromEntries);
    return save({ work, ours, others });
  }
  const figures: Figures = {
    ...(await measure(counts)),
    ...(values.bus
      ? { bus: await measureBus({ appends: counts.busAppends, images: counts.busImages }) }
      : {}),
    ...(values.audit
      ? { audit: await measureAudit({ images: counts.auditImages, proofs: counts.auditProofs }) }
      : {}),
    ...(values.webhooks ? { webhooks: await measureWebhooks(counts.webhookAppends) } : {}),
    ...(values.stream ? { stream: await measureStream(counts.streamAppends) } : {}),
    ...(values.uploads ? { uploads: await measureUploads(counts.uploads, 10 * mebibyte) } : {}),
    ...(values.history
      ? {
          history: await measureHistory({
            images: counts.pastImages,
            questions: counts.pastQuestions,
          }),
        }
      : {}),
  };
  const { date, node, cores, processor, memoryGiB } = machine;
  process.stdout.write(
    `${date}, Node ${node}, ${cores} cores of ${processor}, ${memoryGiB} GiB; 16 requests at once\n\n${table(figures, counts)}\n`,
  );
  process.stdout.write(auditText(figures.audit));
  await save({ counts, figures });
}

await main(process.argv.slice(2));
