import type { Pool, PoolClient } from 'pg';
import type { Queryable } from '../read-model/generation.ts';
import { chunks, keepLines, keptLines } from './lines.ts';
import type { KeptTable, Manifest } from './manifest.ts';

interface BesideTable {
  readonly name: string;
  readonly order: string;
  /** What is of a log that ends at this position. */
  readonly where?: (position: bigint) => string;
}

/**
 * What lies beside the log and cannot be made again, in the order in which it is brought back. Each run writes all of it
 * anew: what was erased meanwhile is in no backup then, and a later run would not find out otherwise.
 *
 * Callers' tokens (`import_tokens`) are left out: they are secrets of others, and over within hours.
 */
export const besideTables: readonly BesideTable[] = [
  { name: 'personal_records', order: 'hash' },
  { name: 'webhook_secrets', order: 'secret_id' },
  { name: 'audit_keys', order: 'number' },
  { name: 'audit_checkpoints', order: 'size', where: (position) => `position <= ${position}` },
];

const fetchedRows = 1_000;

/** Writes each table as it is at one moment. `run` tells its files from those of the run before. */
export async function keepBeside(
  pool: Pool,
  directory: string,
  { run, position, signal }: { run: number; position: bigint; signal: AbortSignal },
): Promise<Manifest['beside']> {
  const client = await pool.connect();
  let failed = true;
  try {
    await client.query('begin transaction isolation level repeatable read read only');
    const kept: Record<string, KeptTable> = {};
    for (const table of besideTables)
      kept[table.name] = await keepTable(client, directory, { table, run, position, signal });
    await client.query('commit');
    failed = false;
    return kept;
  } finally {
    client.release(failed);
  }
}

async function keepTable(
  client: PoolClient,
  directory: string,
  {
    table: { name, order, where },
    run,
    position,
    signal,
  }: { table: BesideTable; run: number; position: bigint; signal: AbortSignal },
): Promise<KeptTable> {
  const filter = where === undefined ? '' : `where ${where(position)}`;
  let rows = 0;
  const lines = async function* (): AsyncGenerator<string> {
    await client.query(
      `declare kept no scroll cursor for select to_json(t)::text as line from ${name} as t ${filter} order by ${order}`,
    );
    for (;;) {
      signal.throwIfAborted();
      const page = await client.query<{ line: string }>(`fetch ${fetchedRows} from kept`);
      if (page.rows.length === 0) break;
      rows += page.rows.length;
      for (const { line } of page.rows) yield line;
    }
    await client.query('close kept');
  };
  const files: KeptTable['files'] = [];
  for await (const chunk of chunks(lines())) {
    const file = `beside/${runName(run)}-${name.replaceAll('_', '-')}-${files.length}.ndjson.gz`;
    files.push(await keepLines(directory, file, chunk));
  }
  return { rows, files };
}

export const runName = (run: number): string => String(run).padStart(6, '0');

/** The rows of a table. Throws `FileDamaged` at the first file that is not what was written. */
export async function* keptRows(
  directory: string,
  { beside }: Pick<Manifest, 'beside'>,
  name: string,
): AsyncGenerator<readonly string[]> {
  for (const file of beside[name]?.files ?? []) yield await keptLines(directory, file);
}

/** Brings the tables back, which must be empty. */
export async function restoreBeside(
  db: Queryable,
  directory: string,
  manifest: Pick<Manifest, 'beside'>,
): Promise<void> {
  for (const { name } of besideTables)
    for await (const lines of keptRows(directory, manifest, name)) await insert(db, name, lines);
  await db.query(
    `select setval(pg_get_serial_sequence('audit_keys', 'number'), max(number)) from audit_keys`,
  );
}

/** By the columns that the backup has: those that a later release added get their defaults. */
async function insert(db: Queryable, name: string, lines: readonly string[]): Promise<void> {
  const columns = Object.keys(JSON.parse(lines[0] ?? '{}'));
  if (columns.length === 0 || columns.some((column) => !/^[a-z_]+$/.test(column)))
    throw new Error(`the rows of ${name} have columns without names`);
  await db.query(
    `
    insert into ${name} (${columns.join(', ')}) overriding system value
    select ${columns.join(', ')} from json_populate_recordset(null::${name}, $1::json)`,
    [`[${lines.join(',')}]`],
  );
}
