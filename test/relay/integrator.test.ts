import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { random } from '../projections/history.ts';
import { until } from '../support/until.ts';
import { site } from './harness.ts';

const kills = 4;
/** Tests are run from the root of the package. */
const readme = 'README.md';

/** The README's program, for all subjects of a server; it goes on behind a position. */
async function program(url: string): Promise<(last: bigint) => string> {
  const [, code = ''] =
    /```js\n(import \{ connect \} from 'nats';.*?)```/s.exec(await readFile(readme, 'utf8')) ?? [];
  const here = code
    .replace('127.0.0.1:4222', new URL(url).host)
    .replace(/filter_subject: '.*'/, "filter_subject: 'daguerre.v1.>'");
  assert.notEqual(here, code);
  return (last) => here.replace('let last = 0n', `let last = ${last}n`);
}

test('the integrator of the README, killed again and again, makes something of each event once and in order', async (t) => {
  const here = await site();
  const next = random(here.seed);
  const codeFrom = await program(here.server.url);
  await here.life.goOn(200);
  await here.startRelay();
  await here.assertWhole();
  // What concerns two projects is there twice.
  const wanted = [...new Set(await here.expected())];
  const made: bigint[] = [];

  const run = () => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '--eval', codeFrom(made.at(-1) ?? 0n)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      made.push(...lines.map((line) => BigInt(line.split(' ')[0] ?? '')));
    });
    return {
      async kill() {
        child.kill('SIGKILL');
        await once(child, 'close');
      },
    };
  };

  for (let left = kills; left >= 0; left -= 1) {
    const integrator = run();
    const share =
      left === 0 ? wanted.length : made.length + Math.ceil((next() * wanted.length) / 8);
    await until(`${share} events`, () => made.length >= share, { everyMs: 1 });
    await integrator.kill();
  }
  assert.deepEqual(made, wanted, `seed ${here.seed}`);
  t.diagnostic(`seed ${here.seed}: ${made.length} events over ${kills} kills`);
});
