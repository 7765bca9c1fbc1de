import { randomUUID } from 'node:crypto';
import { type ExportEvent, exportStream } from '../../domain/export/events.ts';
import { type Cursors, postgresCursors, type Reach } from '../../infra/export/cursors.ts';
import { closedFiles, partFiles } from '../../infra/export/file-names.ts';
import { directoryOf } from '../../infra/export/open-sink.ts';
import { namesIn } from '../../infra/files/files.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { exportFact } from '../export/beginning.ts';
import { exportLines, exportStandings } from '../export/standings.ts';
import type { AuditArguments } from './audit-arguments.ts';
import type { AuditTools } from './audit-tools.ts';
import { UsageError } from './command.ts';
import { operatorOf } from './operator.ts';

/** `daguerre audit export`: how far its targets are, and moving them by hand, which the log remembers. */
export async function auditExport(tools: AuditTools, given: AuditArguments): Promise<string> {
  const [, verb = 'list', target] = given.words;
  if (verb === 'list') return list(tools, given);
  if (target === undefined)
    throw new UsageError(`say which target: daguerre audit export ${verb} ID`);
  const cursors = postgresCursors(tools.besideLog);
  switch (verb) {
    case 'rewind':
      return rewind(tools, cursors, target, given.last('to'));
    case 'skip':
      return skip(tools, cursors, target);
    case 'forget':
      if (!(await cursors.forget(target))) throw unknown(target);
      return `${target}: forgotten; where a process has it configured, it goes on from where the log says`;
    default:
      throw new UsageError('say list, rewind, skip or forget');
  }
}

async function list({ log, besideLog, pool }: AuditTools, given: AuditArguments): Promise<string> {
  const { rows } = await pool.query<{ name: string }>('select name from leases');
  const known = await postgresCursors(besideLog).standings();
  const standings = exportStandings(known, await log.head(), rows);
  if (given.has('json')) return JSON.stringify(standings, undefined, 2);
  return standings.length === 0 ? 'nothing is exported' : exportLines(standings).join('\n');
}

async function rewind(
  tools: AuditTools,
  cursors: Cursors,
  target: string,
  to: string | undefined,
): Promise<string> {
  if (to === undefined || !/^\d{1,19}$/.test(to))
    throw new UsageError('--to is the position after which it goes on; 0 is the beginning');
  const position = BigInt(to);
  const head = await tools.log.head();
  if (position > head) throw new UsageError(`--to ${to}: the log ends at position ${head}`);
  await requireNoFilesAbove(tools, target, position);
  await requireKnown(tools, cursors, target);
  await record(tools, target, { type: 'AuditExportRewound', data: { position: to } });
  await cursors.move(target, await reachAt(tools, position));
  return `${target}: goes on after position ${to}`;
}

async function skip(tools: AuditTools, cursors: Cursors, target: string): Promise<string> {
  const standing = (await cursors.standings()).find((one) => one.target === target);
  if (standing === undefined) throw unknown(target);
  const { refused, error } = standing;
  if (refused === null)
    throw new Error(
      `${target} refuses no record${error === null ? '' : `, but is held up: ${error}`}`,
    );
  const reach = await reachAt(tools, refused);
  const data = { position: String(refused), eventId: reach.eventId, reason: error ?? '' };
  await record(tools, target, { type: 'AuditExportRecordSkipped', data });
  await cursors.move(target, reach);
  return `${target}: goes on after the record at position ${refused}`;
}

async function reachAt({ log }: AuditTools, position: bigint): Promise<Reach> {
  const [event] = position === 0n ? [] : await log.readAll(position - 1n, 1);
  return { position, eventId: event?.position === position ? event.id : null };
}

/** Before the cursor moves: what was decided is known even where the cursor is lost. */
async function record(
  { log, besideLog }: AuditTools,
  target: string,
  event: ExportEvent,
): Promise<void> {
  const stream = exportStream(target);
  const personal = await personalRecords(besideLog).remember(operatorOf('daguerre audit export'));
  const requestId = `req-${randomUUID()}`;
  const fact = exportFact(event, { actor: { kind: 'system', part: 'cli' }, requestId, personal });
  await log.append(stream, [fact], (await log.readStream(stream)).revision);
}

const unknown = (target: string): Error =>
  new UsageError(`nothing is exported to ${target}; daguerre audit export tells what is`);

async function requireKnown(
  { config }: AuditTools,
  cursors: Cursors,
  target: string,
): Promise<void> {
  const isConfigured = config['audit-export-targets'].some(({ id }) => id === target);
  if (isConfigured || (await cursors.standings()).some((one) => one.target === target)) return;
  throw unknown(target);
}

/** Files say themselves up to where they go, and nothing is written into them twice. */
async function requireNoFilesAbove(
  { config }: AuditTools,
  target: string,
  position: bigint,
): Promise<void> {
  const found = config['audit-export-targets'].find(({ id }) => id === target);
  if (found?.type !== 'file') return;
  const directory = directoryOf(found, config['data-dir']);
  const names = await namesIn(directory);
  const above = [
    ...closedFiles(names).filter(({ last }) => last > position),
    ...partFiles(names),
  ].map(({ name }) => name);
  if (above.length > 0)
    throw new Error(
      `${directory} holds what comes after position ${position}; move it away first: ${above.join(', ')}`,
    );
}
