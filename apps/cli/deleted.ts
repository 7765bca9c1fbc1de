import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { type KeptImage, keptImages } from '../../projections/images/kept.ts';
import { asksForHelp, type Command, switches } from './command.ts';
import { withDatabases } from './database.ts';

const usage = `Usage: daguerre deleted [--json] [FLAGS]

Lists the deleted images that daguerre restore can bring back, and until when. There
are some where images are deleted with --delayed-delete.

  --json            the same as one JSON document

${settingsHelp()}
`;

export const deletedCommand: Command = {
  name: 'deleted',
  summary: 'deleted images that can be restored, and until when',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['json']);
    const kept = await withDatabases(configFrom(rest, environment), async ({ postgresUrl }) => {
      const pool = postgresPool(postgresUrl, { log: logger('cli', 'warn'), max: 1 });
      return keptImages(pool).finally(() => pool.end());
    });
    process.stdout.write(given.json ? `${JSON.stringify(kept, undefined, 2)}\n` : text(kept));
    return 0;
  },
};

const text = (kept: readonly KeptImage[]): string =>
  kept.length === 0
    ? 'no deleted image can be restored\n'
    : kept
        .map(
          ({ id, name, owner, size, due }) =>
            `${id}  until ${due.toISOString()}  ${size} bytes  ` +
            `owner ${owner ?? 'none'}  ${name ?? 'without a name'}\n`,
        )
        .join('');
