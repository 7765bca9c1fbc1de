import { port, setting, text, url } from './kinds.ts';

/** Where a process listens, and where its databases are. */
export const processSettings = {
  host: setting(text.default('127.0.0.1'), 'address to listen on', 'ADDRESS'),
  port: setting(port.default(9292), 'port to listen on; 0 takes a free one', 'PORT'),
  'data-dir': setting(text, 'where the database, staged and stored bytes lie', 'DIR'),
  'postgres-url': setting(
    url('postgres', 'postgresql').optional(),
    'a Postgres of your own instead of the embedded one',
    'URL',
  ),
  'event-log-url': setting(
    url('postgres', 'postgresql', 'esdb', 'esdb+discover').optional(),
    'a Postgres for the event log alone, or EventStoreDB as its clients name it (default: the same Postgres)',
    'URL',
  ),
} as const;
