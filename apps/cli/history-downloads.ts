import type { Pool } from 'pg';
import type { SentExtent } from '../../domain/download-record/events.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { besideLogUrl } from '../../infra/event-log/open.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { DownloadRecord, Downloads } from '../../projections/downloads/downloads.ts';
import { downloadQueries } from '../../projections/downloads/queries.ts';
import { downloadDocument, stateOf } from '../gateway/downloads/documents.ts';
import type { Databases } from '../migrations.ts';
import { whoIn } from './history-timeline.ts';

const auditor = { projectId: null, seesAll: true };
const lastPosition = 2n ** 63n - 1n;

/** Everything that the read model of downloads has of an image. */
export async function downloadsOf(
  image: string,
  { eventLogUrl, postgresUrl }: Databases,
  { leaseMs, keepDays }: { readonly leaseMs: number; readonly keepDays: number },
): Promise<readonly JsonObject[]> {
  const log = logger('cli', 'warn');
  const pool = postgresPool(postgresUrl, { log, max: 1 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  try {
    const found = await allOf(downloadQueries(pool, { keepDays }), image);
    const hashes = found.flatMap(({ metadata }) => metadata.personal ?? []);
    const persons = await peopleIn(besideLog).behind(hashes);
    const living = await livingGateways(pool, leaseMs);
    const state = (download: DownloadRecord) =>
      stateOf(download, (writer) => !living.has(writer), new Date());
    return found.map((one) => downloadDocument(one, state(one), auditor, persons));
  } finally {
    await Promise.all([pool.end(), besideLog.end()]);
  }
}

async function allOf(records: Downloads, image: string): Promise<readonly DownloadRecord[]> {
  const found: DownloadRecord[] = [];
  for (let after = 0n; after < lastPosition; ) {
    const asked = { viewer: auditor, filter: { image }, after, upTo: lastPosition, limit: 1_000 };
    const { downloads, next } = await records.page(asked);
    found.push(...downloads);
    after = next;
  }
  return found;
}

/** Those whose heartbeat is no older than two leases. */
async function livingGateways(pool: Pool, leaseMs: number): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ owner: string }>(
    `
    select owner from heartbeats
    where part = 'gateway' and beat >= 0 and beaten_at > now() - make_interval(secs => $1)`,
    [(2 * leaseMs) / 1_000],
  );
  return new Set(rows.map(({ owner }) => owner));
}

/** For people: a line per download with who and from where, and below what was read. */
export const downloadLines = (documents: readonly JsonObject[]): string =>
  documents
    .map(
      (document) =>
        `${document.time}  by ${whoIn(document)}  (position ${document.position})\n    ${whatIn(document)}\n`,
    )
    .join('');

function whatIn(document: JsonObject): string {
  const { bytes, complete, exact, extents, last_time, reads, size, state } = document;
  const end = {
    ended: `until ${last_time}`,
    running: 'and goes on',
    unknown: 'and how it ended is not known',
  }[String(state)];
  if (extents === null) return `began with ${asText(document.asked)} of ${size} bytes, ${end}`;
  const what = complete === true ? 'all of it' : parts(extents, exact === true);
  return `${bytes} bytes of ${size} in ${reads} requests: ${what}, ${end}`;
}

const mostShown = 5;

function parts(extents: Json | undefined, exact: boolean): string {
  const all = extents as unknown as readonly SentExtent[];
  const shown = all.slice(0, mostShown).map((one) => asText(one));
  const more = all.length > mostShown ? [`${all.length - mostShown} more`] : [];
  const list = all.length === 0 ? 'nothing' : [...shown, ...more].join(', ');
  return exact ? list : `somewhere in ${list}`;
}

/** As `Range` has it: both ends are part of it. */
function asText(extent: Json | SentExtent | undefined): string {
  const [start, end] = extent as SentExtent;
  return `${start}-${end - 1}`;
}
