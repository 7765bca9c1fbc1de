import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { byTurns, type Turns } from '../../infra/leases/by-turns.ts';

/** Turns of which each does the next of these; the last asks it to stop. */
async function taken(
  steps: readonly ('works' | 'fails' | 'fails at once' | 'is held by another' | 'stops')[],
  change: Partial<Turns<number>> = {},
): Promise<readonly string[]> {
  const stopping = new AbortController();
  const told: string[] = [];
  let at = -1;
  await byTurns<number>({
    lease: {
      tryHold: async () => steps[at] !== 'is held by another',
      release: async () => void told.push('released'),
    },
    stopping: stopping.signal,
    pollMs: 1,
    async look() {
      at += 1;
      return at;
    },
    async work(seen) {
      told.push(`turn ${seen}`);
      if (steps[seen] === 'stops') stopping.abort();
      if (steps[seen]?.startsWith('fails')) throw new Error(steps[seen]);
    },
    standBy: () => void told.push('stands by'),
    failed(error) {
      told.push((error as Error).message);
      return (error as Error).message === 'fails at once' ? 'at once' : 'pause';
    },
    ...change,
  });
  return told;
}

describe('turns under a lease', () => {
  test('come one after the other, with what was seen before each, until it is asked to stop', async () => {
    assert.deepEqual(await taken(['works', 'works', 'stops']), [
      ...['turn 0', 'turn 1', 'turn 2'],
      'released',
    ]);
  });

  test('are others’ while they hold it', async () => {
    assert.deepEqual(await taken(['is held by another', 'is held by another', 'stops']), [
      ...['stands by', 'stands by', 'turn 2'],
      'released',
    ]);
  });

  test('go on after one that fails, at once or after a pause that grows', async () => {
    const began = performance.now();
    assert.deepEqual(await taken(['fails at once', 'fails', 'fails', 'stops']), [
      ...['turn 0', 'fails at once', 'turn 1', 'fails', 'turn 2', 'fails', 'turn 3'],
      'released',
    ]);
    assert.ok(performance.now() - began >= 50 + 100 - 5);
  });

  test('go on when the lease cannot be asked for, or given up', async () => {
    let asked = 0;
    const lease = {
      async tryHold() {
        asked += 1;
        if (asked === 1) throw new Error('the database is away');
        return true;
      },
      release: () => Promise.reject(new Error('and away again')),
    };
    const told = await taken(['works', 'stops'], { lease });
    assert.deepEqual(told, ['the database is away', 'turn 1']);
  });

  test('end quietly when what fails was asked to stop', async () => {
    const stopping = new AbortController();
    const told = await taken(['works'], {
      stopping: stopping.signal,
      async work() {
        stopping.abort();
        throw new Error('aborted');
      },
    });
    assert.deepEqual(told, ['released']);
  });
});
