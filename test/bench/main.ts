import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { startDaguerre } from '../support/daguerre.ts';
import { type AuditFigures, measureAudit } from './audit.ts';
import { type BusFigures, measureBus } from './bus.ts';
import { type ByteRates, measureBytes } from './bytes.ts';
import { type Compared, type HistoryFigures, measureHistory } from './history.ts';
import type { Rate } from './load.ts';
import { type LogFigures, measureLog } from './log.ts';
import { modeOf } from './modes.ts';
import { optionsFrom, usage } from './options.ts';
import { measureOverhead, type OverheadFigures, overheadText } from './overhead.ts';
import { measureRequests, type RequestRates } from './requests.ts';
import { measureStream, type StreamFigures } from './stream.ts';
import { measureUploads, type UploadFigures } from './uploads.ts';
import { measureWebhooks, type WebhookFigures } from './webhooks.ts';

const mebibyte = 1024 * 1024;
const full = {
  auditImages: 50_000,
  auditProofs: 1_000,
  auditRounds: 16,
  auditSliceMs: 1_500,
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
  auditRounds: 2,
  auditSliceMs: 300,
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
  readonly overhead?: OverheadFigures;
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

const machine = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  cores: os.availableParallelism(),
  processor: os.cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
};

const machineText = ({ date, node, cores, processor, memoryGiB }: typeof machine): string =>
  `${date}, Node ${node}, ${cores} cores of ${processor}, ${memoryGiB} GiB`;

async function main(args: readonly string[]): Promise<void> {
  const values = optionsFrom(args);
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const counts = values.quick ? quick : full;
  const save = async (measured: object): Promise<void> => {
    if (values.json !== undefined)
      await writeFile(values.json, `${JSON.stringify({ machine, ...measured }, undefined, 2)}\n`);
  };
  const mode = modeOf(values, benchEnvironment);
  if (mode !== undefined) {
    const { text, json } = await mode();
    process.stdout.write(`${machineText(machine)}\n\n${text}\n`);
    return save(json);
  }
  const figures: Figures = {
    ...(await measure(counts)),
    ...(values.bus
      ? { bus: await measureBus({ appends: counts.busAppends, images: counts.busImages }) }
      : {}),
    ...(values.audit
      ? {
          audit: await measureAudit({ images: counts.auditImages, proofs: counts.auditProofs }),
          overhead: await measureOverhead({
            rounds: counts.auditRounds,
            sliceMs: counts.auditSliceMs,
          }),
        }
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
  process.stdout.write(
    `${machineText(machine)}; 16 requests at once\n\n${table(figures, counts)}\n`,
  );
  process.stdout.write(auditText(figures.audit));
  if (figures.overhead !== undefined) process.stdout.write(`${overheadText(figures.overhead)}\n`);
  await save({ counts, figures });
}

await main(process.argv.slice(2));
