import pg from 'pg';
import type { Log } from './log.ts';

export interface PoolOptions {
  readonly log: Log;
  /** Most connections at once; default 10. */
  readonly max?: number;
  /** Shown to the operator in `pg_stat_activity`. */
  readonly applicationName?: string;
  /** How long to wait for a connection, a free one or a new one; default 5 s. */
  readonly connectTimeoutMs?: number;
  /** After this the connection is given up, whatever the server still does; default: never. */
  readonly queryTimeoutMs?: number;
  /** Server settings of each connection, such as `enable_seqscan`. */
  readonly settings?: Readonly<Record<string, string>>;
}

const int8 = 20;

/** Connections to one database. `bigint` columns come as BigInt; a connection that is lost while idle is only logged. */
export function postgresPool(url: string, options: PoolOptions): pg.Pool {
  const { log, settings = {}, queryTimeoutMs, applicationName = 'daguerre' } = options;
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    keepAlive: true,
    types: { getTypeParser },
    ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  pool.on('error', (error) => {
    // A pool that ends says so before its connections are gone: a server that stops next may still say goodbye on them.
    if (!pool.ending) log.warn({ err: error }, 'lost an idle Postgres connection');
  });
  // The pool listens only while a connection is idle: lost in somebody's hands, it would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === int8 && format !== 'binary' ? BigInt : pg.types.getTypeParser(oid, format);
