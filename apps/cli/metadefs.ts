import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { metadefAccess } from '../../domain/metadef/access.ts';
import { type LoadMode, operator } from '../../domain/metadef/commands.ts';
import type { NamespaceContent } from '../../domain/metadef/content.ts';
import { namespaceDecider } from '../../domain/metadef/namespace.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { Refused } from '../../domain/refused.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { metadefsProjection } from '../../projections/metadefs/projection.ts';
import { metadefQueries } from '../../projections/metadefs/queries.ts';
import { type HandleMetadefs, handleMetadefs, type Run } from '../handle-metadef.ts';
import { logUnprojectable } from '../log-unprojectable.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { asksForHelp, type Command, switches, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { readNamespaces, writeNamespaces } from './metadef-files.ts';

const usage = `Usage: daguerre metadefs load PATH [--merge] [--prefer-new | --overwrite] [FLAGS]
       daguerre metadefs unload [PATH] [FLAGS]
       daguerre metadefs export DIRECTORY [FLAGS]

Reads and writes the JSON files of metadata definitions that glance-manage has for
db_load_metadefs, db_unload_metadefs and db_export_metadefs. PATH is a file, or a
directory of them. It works beside a running Daguerre, and without one.

  load              adds namespaces; those that are there already stay as they are
    --merge         adds to them what they lack
    --prefer-new    the same, and what both have becomes as the files say
    --overwrite     makes them what the files say, and nothing besides
  unload            takes away the namespaces of these files, or all of them
  export            writes every namespace, a file each

${settingsHelp()}
`;

/** Longest wait for a projector that runs to have taken in what is in the log. */
const settleMs = 15_000;
const deadlineMs = 60_000;

interface Tools {
  readonly handle: HandleMetadefs;
  readonly run: Run;
  /** Of every namespace that there is. */
  names(): Promise<readonly string[]>;
}

type Verb = (tools: Tools, path: string, mode: LoadMode) => Promise<string>;

const verbs: Readonly<Record<string, Verb>> = { load, unload, export: exportAll };

export const metadefsCommand: Command = {
  name: 'metadefs',
  summary: 'load, unload or export metadata definitions',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['merge', 'prefer-new', 'overwrite']);
    const [name = '', first = '', ...others] = rest;
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined) throw new UsageError('say load, unload or export; --help tells more');
    const hasPath = first !== '' && !first.startsWith('-');
    if (!hasPath && name !== 'unload') throw new UsageError(`say what to ${name}: a path`);
    const flags = hasPath || first === '' ? others : [first, ...others];
    const config = configFrom(flags, environment);
    const mode = modeFrom(given, name);
    const said = await withDatabases(config, (databases) =>
      withTools(databases, (tools) => verb(tools, hasPath ? first : '', mode)),
    );
    process.stdout.write(`${said}\n`);
    return 0;
  },
};

function modeFrom(
  given: Readonly<Record<'merge' | 'prefer-new' | 'overwrite', boolean>>,
  verb: string,
): LoadMode {
  if (verb !== 'load' && Object.values(given).includes(true))
    throw new UsageError('only load can be told how to meet what is there');
  if (given['prefer-new'] && given.overwrite)
    throw new UsageError('say either --prefer-new or --overwrite');
  if (given.overwrite) return 'overwrite';
  if (given['prefer-new']) return 'prefer-new';
  return given.merge ? 'merge' : 'skip';
}

async function load({ handle, run }: Tools, path: string, mode: LoadMode): Promise<string> {
  const counts = { added: 0, changed: 0, left: 0 };
  for (const content of await readNamespaces(path))
    counts[await loadOne(handle, run, content, mode)] += 1;
  return `${counts.added} namespaces added, ${counts.changed} changed, ${counts.left} left as they were`;
}

async function loadOne(
  handle: HandleMetadefs,
  run: Run,
  content: NamespaceContent,
  mode: LoadMode,
): Promise<'added' | 'changed' | 'left'> {
  const { namespace } = content.attributes;
  const before = await handle.find(namespace);
  if (before === undefined)
    try {
      await handle.create(operator, content, run);
      return 'added';
    } catch (error) {
      if (!(error instanceof Refused && error.code === 'namespace-exists')) throw error;
    }
  const command = { type: 'LoadNamespace', by: operator, namespace, content, mode } as const;
  const { position } = await handle.change(command, run);
  return before?.position === position ? 'left' : 'changed';
}

async function unload({ handle, run, names }: Tools, path: string): Promise<string> {
  const wanted =
    path === ''
      ? await names()
      : (await readNamespaces(path)).map(({ attributes }) => attributes.namespace);
  let count = 0;
  for (const namespace of wanted)
    try {
      await handle.change({ type: 'DeleteNamespace', by: operator, namespace }, run);
      count += 1;
    } catch (error) {
      if (!(error instanceof Refused && error.code === 'namespace-unknown')) throw error;
    }
  return `${count} namespaces unloaded`;
}

async function exportAll({ handle, names }: Tools, directory: string): Promise<string> {
  const count = await writeNamespaces(directory, found(await names(), handle));
  return `${count} namespaces written to ${directory}`;
}

/** One after the other: all of a large catalogue at once would fill the memory and outwait the connections. */
async function* found(
  names: readonly string[],
  handle: HandleMetadefs,
): AsyncIterable<NamespaceContent> {
  for (const name of names) {
    const state = (await handle.find(name))?.state;
    if (state?.status === 'present') yield state;
  }
}

async function withTools<Value>(
  databases: Databases,
  use: (tools: Tools) => Promise<Value>,
): Promise<Value> {
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(databases.postgresUrl, { log, max: 3 });
  const events = await openEventLog(databases.eventLogUrl, { log, upcast });
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlineMs);
  const correlationId = randomUUID();
  try {
    const value = await use({
      handle: handleMetadefs(events, namespaceDecider(metadefAccess(parsePolicy(null)))),
      run: {
        metadata: {
          actor: { kind: 'system', part: 'cli' },
          requestId: `req-${correlationId}`,
          correlationId,
        },
        deadline: late.signal,
      },
      async names() {
        if (!(await settled(pool, events)))
          await rebuild({
            projection: metadefsProjection,
            pool,
            log: events,
            signal: late.signal,
            onUnprojectable: (event, error) => logUnprojectable(log, event, error),
          });
        return metadefQueries(pool).names();
      },
    });
    await settled(pool, events);
    return value;
  } finally {
    clearTimeout(timer);
    await events.close();
    await pool.end();
  }
}

/** Whether the read model has what is in the log now. While a projector lives, it is given time to get there. */
async function settled(pool: Pool, log: Pick<EventLog, 'head'>): Promise<boolean> {
  const head = await log.head();
  const until = performance.now() + settleMs;
  for (;;) {
    const live = await liveGeneration(pool, metadefsProjection);
    if (live !== undefined && live.version === metadefsProjection.version)
      if (live.position >= head) return true;
    if (performance.now() > until || !(await projectorLives(pool))) return false;
    await delay(20);
  }
}

async function projectorLives(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query(`
    select from heartbeats
    where part = 'projector' and beat >= 0 and beaten_at > now() - interval '10 seconds'
    limit 1`);
  return rows.length > 0;
}
