import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Account, callersByName, callersFromKeystone } from './callers.ts';
import { pending } from './pending.ts';
import { countOf, report } from './report.ts';
import { run } from './run.ts';
import { sections } from './sections.ts';

const usage = `Usage: npm run conformance -- --url URL [--auth-url URL] [options]

Asks an Image API endpoint, black box, whether it keeps each statement of the API. Removes the images that it makes.

  --url URL              the endpoint, with its path if it has one, without /v2
  --auth-url URL         its Keystone, with /v3; without it tokens are user:project:role
  --admin, --demo, --alt, --viewer, --service USER:PASSWORD:PROJECT
                         accounts in Keystone (default: the user's own name, secret, the
                         project of the user's name; viewer:secret:demo, a reader;
                         glance:secret:service, with the role service, may be missing)
  --source-url URL       bytes that the endpoint may fetch, for http locations and web-download
  --only SECTION         one section, repeatable: ${sections.map(({ name }) => name).join(' ')}
  --parallel N           cases at a time (default 4)
  --pending              respect the list of what Daguerre does not have yet
  --json FILE            every result, as JSON
  --help
`;

const options = {
  url: { type: 'string' },
  'auth-url': { type: 'string' },
  admin: { type: 'string', default: 'admin:secret:admin' },
  demo: { type: 'string', default: 'demo:secret:demo' },
  alt: { type: 'string', default: 'alt:secret:alt' },
  viewer: { type: 'string', default: 'viewer:secret:demo' },
  service: { type: 'string', default: 'glance:secret:service' },
  'source-url': { type: 'string' },
  only: { type: 'string', multiple: true },
  parallel: { type: 'string', default: '4' },
  pending: { type: 'boolean', default: false },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

async function main(words: readonly string[]): Promise<number> {
  const { values: given } = parseArgs({ args: [...words], options });
  if (given.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (given.url === undefined) throw new Error('--url is missing; see --help');
  const only = given.only ?? [];
  const unknown = only.find((name) => !sections.some((section) => section.name === name));
  if (unknown !== undefined) throw new Error(`there is no section ${unknown}; see --help`);
  const parallel = Number(given.parallel);
  if (!Number.isInteger(parallel) || parallel < 1) throw new Error('--parallel takes a number');
  const chosen = sections.filter(({ name }) => only.length === 0 || only.includes(name));
  const callers =
    given['auth-url'] === undefined
      ? callersByName()
      : await callersFromKeystone(given['auth-url'].replace(/\/$/, ''), {
          admin: account(given.admin),
          demo: account(given.demo),
          alt: account(given.alt),
          viewer: account(given.viewer),
          service: account(given.service),
        });
  const endpoint = { base: given.url.replace(/\/$/, ''), callers, source: given['source-url'] };
  const results = await run(chosen, endpoint, {
    parallel,
    pending: given.pending ? pending : [],
  });
  process.stdout.write(`${report(results)}\n`);
  if (given.json !== undefined) await writeFile(given.json, JSON.stringify(results, null, 2));
  return countOf(results, 'failed') === 0 && countOf(results, 'passed') > 0 ? 0 : 1;
}

function account(text: string): Account {
  const [user = '', password = '', project = '', ...rest] = text.split(':');
  if (project === '' || rest.length > 0)
    throw new Error(`${text} is not of the form USER:PASSWORD:PROJECT`);
  return { user, password, project };
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  return 2;
});
