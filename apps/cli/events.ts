import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { asyncApi } from '../../infra/outside/async-api.ts';
import { schemaFiles } from '../../infra/outside/schema-files.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { optionsFrom, tail } from './events-tail.ts';

const usage = `Usage: daguerre events tail [OPTIONS] [FLAGS]
       daguerre events schemas DIRECTORY

tail shows what happens, from the log itself, until it is interrupted.

  --from POSITION   begins after this position; 0 shows everything (default: from now on)
  --project ID      only what this project owned just before or just after
  --image ID        only this image
  --type TYPE       only events of this type, ImageCreated for example; may be repeated
  --all             also what is told to nobody outside: claims, refusals, quotas
  --json            one CloudEvents document a line; of what stays inside, as it is recorded

schemas writes JSON Schema of every event, and AsyncAPI, as GET /events/v1/schemas has them.

${settingsHelp()}
`;

export const eventsCommand: Command = {
  name: 'events',
  summary: 'show what happens, or write the schemas of events',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const [verb, ...rest] = args;
    if (verb === 'schemas') return writeSchemas(rest);
    if (verb !== 'tail') throw new UsageError(`it is: daguerre events tail, or events schemas`);
    const { options, settings } = optionsFrom(rest);
    const config = configFrom(settings, environment);
    const interrupted = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => interrupted.abort());
    process.stdout.on('error', () => interrupted.abort()); // whoever read has gone
    await withDatabases(config, (databases) =>
      tail(databases.eventLogUrl, config.region, options, interrupted.signal),
    );
    return 0;
  },
};

async function writeSchemas(args: readonly string[]): Promise<number> {
  const [directory, ...others] = args;
  if (directory === undefined || others.length > 0)
    throw new UsageError('it is: daguerre events schemas DIRECTORY');
  await mkdir(directory, { recursive: true });
  const files = [...schemaFiles, ['asyncapi.json', asyncApi] as const];
  for (const [name, document] of files)
    await writeFile(join(directory, name), `${JSON.stringify(document, undefined, 2)}\n`);
  process.stdout.write(`${files.length} files in ${directory}\n`);
  return 0;
}
