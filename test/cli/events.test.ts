import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { UsageError } from '../../apps/cli/command.ts';
import { eventsCommand } from '../../apps/cli/events.ts';
import type { EventLog } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { newEvent, plain, uuid } from '../projections/recorded.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { run, start } from './program.ts';

let log: EventLog;
let url: string;
const [red, blue] = [uuid('red'), uuid('blue')];

const created = (owner: string): ImageEvent => ({
  type: 'ImageCreated',
  data: { ...plain, owner, visibility: 'private' },
});
const tagged = (tag: string): ImageEvent => ({ type: 'TagAdded', data: { tag } });
const claimed: ImageEvent = {
  type: 'IngestClaimed',
  data: { uploadId: 'u', epoch: 1, supersedes: 0, owner: 'worker-1' },
};

async function append(image: string, expected: number, ...facts: readonly ImageEvent[]) {
  const events = facts.map((fact, index) => newEvent(fact, `${image} ${expected} ${index}`));
  await log.append(`image-${image}`, events, expected);
}

before(async () => {
  ({ url } = await testDatabase(eventLogMigrations));
  log = await openEventLog(url, { log: silent, upcast });
  await append(red, -1, created('red'), tagged('x'), claimed);
  await append(blue, -1, created('blue'));
});
after(() => log.close());

/** What the tail prints until it has said so much, and how it ended when it was interrupted. */
async function tailed(count: number, ...args: readonly string[]): Promise<readonly string[]> {
  const tail = start(['events', 'tail', '--postgres-url', url, ...args]);
  const lines = () => tail.stdout().split('\n').slice(0, -1);
  await until(`${count} lines`, () => lines().length >= count);
  tail.child.kill('SIGINT');
  const { code, stderr } = await tail.ended;
  assert.deepEqual([code, stderr], [0, '']);
  return lines();
}
const types = (lines: readonly string[]): readonly (string | undefined)[] =>
  lines.map((line) => line.split('  ')[2]);

describe('daguerre events tail', () => {
  test('shows in a line each what happened, where, whose and by whom', async () => {
    const lines = await tailed(3, '--from', '0');
    assert.deepEqual(types(lines), ['ImageCreated', 'TagAdded', 'ImageCreated']);
    assert.match(
      lines[1] ?? '',
      new RegExp(`^2  \\S+Z  TagAdded  image-${red}  project red  by user user  {"tag":"x"}$`),
    );
  });

  test('shows what is asked for alone', async () => {
    assert.deepEqual(types(await tailed(1, '--from=0', '--project', 'blue')), ['ImageCreated']);
    assert.deepEqual(types(await tailed(2, '--from=0', '--image', red)), [
      'ImageCreated',
      'TagAdded',
    ]);
    assert.deepEqual(types(await tailed(1, '--from=0', '--type=TagAdded')), ['TagAdded']);
    assert.deepEqual(types(await tailed(2, '--from=2', '--all')), [
      'IngestClaimed',
      'ImageCreated',
    ]);
  });

  test('shows documents, and with --all what stays inside as it is recorded', async () => {
    const lines = await tailed(4, '--from', '0', '--all', '--json');
    const documents = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      documents.map(({ position }) => position),
      ['1', '2', '3', '4'],
    );
    assert.equal(documents[0].type, 'daguerre.v1.image.ImageCreated');
    assert.equal(documents[2].type, 'IngestClaimed');
    assert.equal(documents[2].data.owner, 'worker-1');
  });

  test('shows what happens from now on, and ends when nobody reads any more', async () => {
    const tail = start(['events', 'tail', '--postgres-url', url, '--image', blue]);
    // It is not said when it begins, so it is told until it shows something.
    let revision = 0;
    await until('something new', async () => {
      await append(blue, revision, tagged(`tag ${revision}`));
      revision += 1;
      return tail.stdout().includes('TagAdded');
    });
    assert.ok(!tail.stdout().includes('ImageCreated'));
    tail.child.stdout?.destroy();
    await until('it to end', async () => {
      if (tail.child.exitCode !== null) return true;
      await append(blue, revision, tagged(`tag ${revision}`));
      revision += 1;
      return false;
    });
    assert.equal(tail.child.exitCode, 0);
  });
});

describe('daguerre events', () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /it is: daguerre events tail, or events schemas/],
    [['head'], /it is: daguerre events tail/],
    [['tail', '--from', 'now'], /--from must be a position, not now/],
    [['tail', '--from'], /--from needs a value/],
    [['tail', '--type', 'ImageEaten'], /there are no events of type ImageEaten; there are Image/],
    [['tail', '--type', 'IngestClaimed'], /with --all others, too/],
    [['tail', 'now'], /now: settings are given as --name value/],
    [['tail', '--colour'], /--colour/],
    [['schemas'], /it is: daguerre events schemas DIRECTORY/],
    [['schemas', 'one', 'two'], /it is: daguerre events schemas DIRECTORY/],
  ];
  for (const [args, message] of cases)
    test(`${args.join(' ') || 'without a word'} is refused`, () =>
      assert.rejects(eventsCommand.run(args, {}), (error: Error) => {
        assert.ok(error instanceof UsageError || error instanceof ConfigError);
        assert.match(error.message, message);
        return true;
      }));

  test('ends with 2 when it is wrongly said', async () => {
    const { code, stdout, stderr } = await run(['events', 'head']);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^daguerre events: it is/);
  });

  test('says when there is nothing to tail, or no place for schemas', async () => {
    const nowhere = await run(['events', 'tail', '--data-dir', '/nowhere']);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /there is no Daguerre in \/nowhere/);
    const closed = await run(['events', 'schemas', '/dev/null/schemas']);
    assert.equal(closed.code, 1);
    assert.match(closed.stderr, /^daguerre events: E/);
  });

  test('--help tells of both', async () => {
    const { code, stdout } = await run(['events', '--help']);
    assert.equal(code, 0);
    for (const word of ['events tail', 'events schemas DIRECTORY', '--from POSITION', '--nats-url'])
      assert.ok(stdout.includes(word), word);
  });

  test('writes schemas that parse, and AsyncAPI', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-schemas-'));
    const { code, stdout } = await run(['events', 'schemas', join(directory, 'deep', 'er')]);
    assert.equal(code, 0);
    const files = await readdir(join(directory, 'deep', 'er'));
    assert.match(stdout, new RegExp(`^${files.length} files in `));
    for (const file of files)
      JSON.parse(await readFile(join(directory, 'deep', 'er', file), 'utf8'));
    assert.ok(files.includes('asyncapi.json') && files.includes('webhook.Test.json'));
    await rm(directory, { recursive: true });
  });
});
