import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startDaguerre } from '../support/daguerre.ts';

const bench = fileURLToPath(new URL('./main.js', import.meta.url));

/** What it prints, and what it writes as JSON. */
async function quickly(directory: string, args: readonly string[]) {
  const json = join(directory, 'figures.json');
  const command = [bench, '--quick', ...args, '--json', json];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  return { stdout, figures: JSON.parse(await readFile(json, 'utf8')) };
}

const arePositive = (values: readonly unknown[], because: string): void => {
  assert.ok(values.length > 0, because);
  for (const value of values) assert.ok(Number(value) > 0 && Number.isFinite(value), because);
};

test('the bench compares with another Image API: what is to be reached, roofline, memory, chart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const other = await startDaguerre({ args: ['--log-level', 'warn'] });
  const path = join(directory, 'chart.svg');
  try {
    const others = ['--against', other.url, '--against-pids', String(other.pid)];
    const member = ['--member', 'someone:somewhere:member'];
    const { stdout, figures } = await quickly(directory, [
      ...[...others, ...member, '--rounds', '2', '--chart', path],
    ]);
    assert.match(stdout, /^show, 16 at once +1\/s( +[\d.,]+){2} +[\d.]+ x +25 x +60 x +missed$/m);
    assert.match(
      stdout,
      /^list by property, member, alone, p50 +ms( +[\d.,]+){2} +[\d.]+ x +40 x/m,
    );
    assert.match(stdout, /^large upload, of the roofline +MB\/s .* 0\.85 x +(reached|missed)$/m);
    assert.match(stdout, /^memory of all processes +MiB .*(aim|reached|missed)$/m);
    for (const { here, there, times } of figures.verdicts)
      arePositive([here, there, times], stdout);
    for (const side of [figures.ours, figures.others])
      for (const { perSecond, p50Ms, p99Ms } of Object.values<Record<string, number>>(side.phases))
        arePositive([perSecond, p50Ms, p99Ms, side.memoryMiB], stdout);
    const drawn = await readFile(path, 'utf8');
    const wanted = figures.verdicts.filter(({ reach }: { reach?: number }) => reach !== undefined);
    assert.equal(drawn.match(/<rect class="bar/g)?.length, wanted.length);
    const left = await (await fetch(`${other.url}/v2/images`)).text();
    assert.deepEqual(JSON.parse(left).images, []);
  } finally {
    await other.stop();
    await rm(directory, { recursive: true });
  }
});

test('the bench uses the catalogue again that another run kept, and measures only what is named', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const other = await startDaguerre({ args: ['--log-level', 'warn'] });
  try {
    const few = ['--against', other.url, '--rounds', '1', '--only', 'show', '--images', '20'];
    const first = await quickly(directory, [...few, '--keep']);
    const again = await quickly(directory, [...few, '--seeded']);
    for (const { figures } of [first, again])
      for (const side of [figures.ours, figures.others])
        assert.deepEqual(Object.keys(side.phases), ['show, 16 at once']);
    const left = await (await fetch(`${other.url}/v2/images?tag=seed&limit=100`)).text();
    assert.equal(JSON.parse(left).images.length, 20);
  } finally {
    await other.stop();
    await rm(directory, { recursive: true });
  }
});

test('the bench compares many images with few', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const { stdout, figures } = await quickly(directory, ['--scale', '120']);
    for (const row of ['show', 'list, member', 'list by name, admin', 'list by tag, member'])
      assert.match(stdout, new RegExp(`^${row}( .* x +(reached|missed)){2}$`, 'm'));
    for (const { few, many } of [figures.withMemory, figures.withoutMemory]) {
      assert.deepEqual(Object.keys(few), Object.keys(many));
      for (const side of [few, many])
        arePositive(
          Object.values<{ p50Ms: number }>(side).map(({ p50Ms }) => p50Ms),
          stdout,
        );
    }
    // Each image is two events, and a log begins with none.
    assert.equal(figures.rebuiltEvents, 240);
    arePositive([figures.rebuildPerSecond, figures.seededPerSecond], stdout);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the bench watches memory, event loops and what a second gateway brings', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const { stdout, figures } = await quickly(directory, ['--steady']);
    for (const grown of [figures.overRequests, figures.overUpload]) {
      const parts = grown.map(({ part }: { part: string }) => part);
      assert.deepEqual(parts.sort(), ['all', 'gateway', 'postgres', 'projector', 'worker']);
      for (const { first, last, most } of grown) arePositive([first, last, most], stdout);
    }
    assert.deepEqual(Object.keys(figures.loopDelays).sort(), ['gateway', 'projector', 'worker']);
    for (const rates of Object.values<object>(figures.gateways))
      for (const { perSecond, busy } of Object.values(rates))
        arePositive([perSecond, busy], stdout);
    assert.match(stdout, /^create( +[\d.,]+ +\d+ %){2} +[\d.]+ x$/m);
  } finally {
    await rm(directory, { recursive: true });
  }
});
