#!/usr/bin/env node
import { ConfigError } from '../../infra/config/config.ts';
import { auditCommand } from './audit.ts';
import { backupCommand } from './backup.ts';
import { importCommand } from './bulk/import.ts';
import { importsCommand } from './bulk/imports.ts';
import { type Command, UsageError } from './command.ts';
import { deletedCommand } from './deleted.ts';
import { doctorCommand } from './doctor.ts';
import { downloadsCommand } from './downloads.ts';
import { eventsCommand } from './events.ts';
import { historyCommand } from './history.ts';
import { holdCommand } from './hold.ts';
import { metadefsCommand } from './metadefs.ts';
import { migrateCommand } from './migrate.ts';
import { policyCommand } from './policy.ts';
import { rebuildCommand } from './rebuild.ts';
import { restoreCommand } from './restore.ts';
import { statusCommand } from './status.ts';
import { stuckCommand } from './stuck.ts';
import { upCommand } from './up.ts';
import { webhooksCommand } from './webhooks.ts';

const commands: readonly Command[] = [
  upCommand,
  statusCommand,
  stuckCommand,
  doctorCommand,
  migrateCommand,
  rebuildCommand,
  backupCommand,
  deletedCommand,
  restoreCommand,
  holdCommand,
  eventsCommand,
  historyCommand,
  downloadsCommand,
  webhooksCommand,
  importCommand,
  importsCommand,
  metadefsCommand,
  policyCommand,
  auditCommand,
];

const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
const usage = `Usage: daguerre COMMAND [FLAGS]

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`).join('\n')}

daguerre COMMAND --help shows a command's flags. Settings are those of \`daguerre up\`:
a flag wins over the environment (DAGUERRE_...), the environment over --config FILE.
`;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    process.stderr.write(`daguerre: there is no command ${name}\n\n${usage}`);
    return 2;
  }
  try {
    return await command.run(rest, process.env);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`daguerre ${name}: ${message}\n`);
    return error instanceof ConfigError || error instanceof UsageError ? 2 : 1;
  }
}

process.exit(await main(process.argv.slice(2)));
