import { before } from 'node:test';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { contractUpcast, eventLogContract } from '../contracts/event-log.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

let database: TestDatabase;
before(async () => {
  database = await testDatabase(eventLogMigrations);
});

eventLogContract('Postgres', async () =>
  postgresEventLog(database.url, { log: silent, upcast: contractUpcast }),
);
