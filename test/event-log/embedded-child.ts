import { startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { silent } from '../support/silent-log.ts';

/** Starts Postgres on the directory given, says so, and lives until it is killed. Run by embedded-postgres.test.ts. */
const dataDir = process.argv[2] ?? '';
const { pid, url } = await startEmbeddedPostgres({ dataDir, log: silent });
process.stdout.write(`${JSON.stringify({ pid, url })}\n`);
setInterval(() => undefined, 60_000);
