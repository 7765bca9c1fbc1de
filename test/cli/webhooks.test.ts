import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { UsageError } from '../../apps/cli/command.ts';
import { webhooksCommand } from '../../apps/cli/webhooks.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { ask } from '../support/http.ts';
import { until } from '../support/until.ts';
import { answers, isSigned, receiver } from '../webhooks/receiver.ts';
import { run } from './program.ts';

const hook = await receiver();
let daguerre: Daguerre;
let environment: Readonly<Record<string, string>>;
before(async () => {
  const settings = {
    DAGUERRE_WEBHOOK_ALLOW_HTTP: 'true',
    DAGUERRE_WEBHOOK_ALLOWED_PORTS: String(hook.port),
    DAGUERRE_WEBHOOK_ALLOWED_CIDRS: '127.0.0.1/32',
    DAGUERRE_WEBHOOK_RETRY_SECONDS: '1',
  };
  daguerre = await startDaguerre({ env: settings });
  environment = { ...settings, DAGUERRE_DATA_DIR: daguerre.dataDir };
});
after(() => daguerre.stop());

const webhooks = (...args: readonly string[]) => run(['webhooks', ...args], environment);

/** What a command prints that ends well. */
async function said(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await webhooks(...args);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return stdout.trim();
}

async function refused(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const ran = await webhooks(...args);
  assert.deepEqual([ran.code, ran.stdout], [code, ''], ran.stderr);
  assert.match(ran.stderr, /^daguerre webhooks: /);
  assert.match(ran.stderr, message);
}

async function add(...options: readonly string[]) {
  const text = await said('add', hook.url, ...options);
  const [, id = '', secret = ''] = /^id {6}(\S+)\nsecret {2}(\S+)$/.exec(text) ?? [];
  assert.match(id, /^[0-9a-f-]{36}$/, text);
  return { id, secret };
}

const shown = async (id: string) => JSON.parse(await said('show', id));

async function create(name: string): Promise<string> {
  const made = await ask(daguerre.url, '/v2/images', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Auth-Token': 'alice:red:member' },
    body: JSON.stringify({ name, visibility: 'private' }),
  });
  assert.equal(made.status, 201, made.text);
  return String(made.json().id);
}

describe('daguerre webhooks', () => {
  test('adds an endpoint that is told what happens, signed with the secret that it shows', async () => {
    const past = await create('before');
    const { id, secret } = await add('--project', 'red', '--after', '0', '--type=ImageCreated');
    assert.match(secret, /^whsec_/);
    const image = await create('after');
    const told = await hook.until(2);
    assert.deepEqual(
      told.map(({ document }) => document.subject),
      [`image/${past}`, `image/${image}`],
    );
    for (const one of told) assert.ok(isSigned(one, secret));
    assert.ok(!JSON.stringify(await shown(id)).includes(secret));
    assert.equal(await said('remove', id), 'removed');
  });

  test('lists and shows those of a project, or all', async () => {
    const mine = await add('--project=red', '--description', 'for the red ones');
    const all = await add('--all-projects', '--signature', 'v1a');
    assert.match(all.secret, /^whpk_/);
    const { url, project, status, description, types } = await shown(mine.id);
    assert.deepEqual(
      { url, project, status, description, types },
      {
        ...{ url: hook.url, project: 'red', status: 'enabled' },
        ...{ description: 'for the red ones', types: null },
      },
    );
    assert.equal((await shown(all.id)).all_projects, true);
    const lines = await until('both to be listed', async () => {
      const found = (await said('list')).split('\n');
      return found.length === 2 && found;
    });
    assert.ok(lines.includes(`${mine.id}  project red  ${hook.url}  enabled`));
    assert.ok(lines.includes(`${all.id}  all projects  ${hook.url}  enabled`));
    assert.equal(await said('list', '--project', 'blue'), 'there are no webhooks');
    for (const { id } of [mine, all]) await said('remove', id);
    await until('none to be listed', async () => (await said('list')) === 'there are no webhooks');
  });

  test('tries one, tells what became of each delivery, and delivers again', async () => {
    const { id, secret } = await add('--project', 'red', '--type', 'ImageCreated');
    assert.equal(await said('deliveries', id), 'there are none');
    const before = hook.requests.length;
    assert.match(await said('test', id), /^delivered, status 204, \d+ ms$/);
    const tried = hook.requests.at(-1);
    assert.ok(tried !== undefined && isSigned(tried, secret));
    assert.equal(tried.document.type, 'daguerre.v1.webhook.Test');

    hook.answerWith(answers(500));
    await refused(['test', id], 1, /failed, status 500/);
    await create('refused at first');
    await until('an attempt', async () =>
      /ImageCreated at \d+ {2}attempt 1: failed, status 500/.test(
        await said('deliveries', id, '--failed'),
      ),
    );
    hook.answerWith(answers(204));
    const line = await until('the delivery', async () => {
      const lines = (await said('deliveries', id)).split('\n');
      return lines.find((one) => /ImageCreated.*delivered/.test(one));
    });
    const [, event = '', position = ''] = /event (\S+) {2}ImageCreated at (\d+)/.exec(line) ?? [];
    for (const name of [event, position]) {
      const count = hook.accepted.length;
      assert.match(await said('redeliver', id, name), /^delivered, status 204/);
      assert.equal(hook.accepted.at(-1)?.document.id, event);
      assert.equal(hook.accepted.length, count + 1);
    }
    assert.match(await said('deliveries', id, '--event', event), /attempt 1 by hand: delivered/);
    assert.ok(hook.requests.length > before);
    await refused(['redeliver', id, randomUUID()], 1, /there is no event .* for this webhook/);
    await said('remove', id);
  });

  test('disables and enables, and nothing is lost between', async () => {
    const { id } = await add('--project', 'red', '--type', 'ImageCreated');
    assert.equal(await said('disable', id), 'disabled');
    const { status, disabled_reason, disabled_message } = await shown(id);
    assert.deepEqual(
      [status, disabled_reason, disabled_message],
      ['disabled', 'asked', 'The operator asked for it.'],
    );
    const image = await create('while it was disabled');
    assert.equal(await said('enable', id), 'enabled');
    assert.equal((await shown(id)).status, 'enabled');
    await until('what came meanwhile', () =>
      hook.accepted.some(({ document }) => document.subject === `image/${image}`),
    );
    await said('remove', id);
    await refused(['show', id], 1, new RegExp(`there is no webhook ${id}`));
    await refused(['enable', id], 1, /./);
    await refused(['remove', id], 1, new RegExp(`there is no webhook ${id}`));
  });

  test('says what it lacks, and ends with 1 or 2', async () => {
    await refused([], 2, /say add, list, show/);
    await refused(['show', 'nonsense'], 1, /there is no webhook nonsense/);
    await refused(['disable', randomUUID()], 1, /./);
    await refused(['add', 'ftp://example.org/x', '--project', 'a'], 1, /http/);
    await refused(['add', 'http://10.0.0.1/x', '--project', 'a'], 1, /10\.0\.0\.1|port/);
    await refused(['redeliver', 'one'], 1, /there is no webhook one/);
  });

  test('--help tells how each is said', async () => {
    const text = await said('add', '--help');
    for (const verb of ['add', 'list', 'show', 'enable', 'disable', 'test', 'remove', 'redeliver'])
      assert.match(text, new RegExp(`daguerre webhooks .*${verb}`));
    assert.match(text, /--webhook-allow-http/);
  });
});

describe('daguerre webhooks, wrongly said,', () => {
  const somewhere = ['add', 'https://example.org/x', '--project', 'a'];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['forget'], /say add, list, show, enable, disable, test, remove, deliveries, redeliver; --h/],
    [['show', 'one', 'two'], /show takes no two/],
    [['list', 'all'], /list takes no all/],
    [['list', '--colour'], /--colour/],
    [['add', 'https://example.org/x', '--project'], /--project needs a value/],
    [['add', '--project', 'red'], /say the URL/],
    [['add', 'https://example.org/x'], /either --project or --all-projects/],
    [[...somewhere, '--all-projects'], /either --project or/],
    [[...somewhere, '--type', 'ImageEaten'], /there are no events of type ImageEaten; there are/],
    [[...somewhere, '--signature', 'v2'], /v1 or v1a/],
    [[...somewhere, '--after', 'now'], /--after must be a position, not now/],
    [['show'], /say which webhook/],
    [['redeliver'], /say which webhook/],
  ];
  for (const [args, message] of cases)
    test(`${args.join(' ')} is refused`, () =>
      assert.rejects(webhooksCommand.run(args, environment), (error: Error) => {
        assert.ok(error instanceof UsageError || error instanceof ConfigError, String(error));
        assert.match(error.message, message);
        return true;
      }));
});
