import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { migrateAll } from '../migrations.ts';
import { asksForHelp, type Command } from './command.ts';
import { withDatabases } from './database.ts';

const usage = `Usage: daguerre migrate [FLAGS]

Brings the databases to this release's shape, as glance-manage db_sync does for Glance.
It can run beside a running Daguerre, and twice.

${settingsHelp()}
`;

export const migrateCommand: Command = {
  name: 'migrate',
  summary: "bring the databases to this release's shape",
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const config = configFrom(args, environment);
    const done = await withDatabases(
      config,
      (databases) => migrateAll(databases, logger('cli', 'warn')),
      { mayMake: true },
    );
    process.stdout.write(done.length === 0 ? 'nothing to do\n' : `${done.join('\n')}\n`);
    return 0;
  },
};
