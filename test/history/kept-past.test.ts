import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PastImages } from '../../projections/history/history.ts';
import { keptPast } from '../../projections/history/kept-past.ts';
import type { ListQuery } from '../../projections/images/list-query.ts';
import type { ImageRecord } from '../../projections/images/record.ts';

const named = (name: string): ImageRecord =>
  ({ name, tags: [], members: [], properties: {} }) as unknown as ImageRecord;
const query = (projectId: string): ListQuery =>
  ({ viewer: { projectId, isAdmin: false } }) as unknown as ListQuery;

/** Tells with each answer what it was asked, and how often it was. */
function asked() {
  const questions: string[] = [];
  const answer = (question: string): ImageRecord => {
    questions.push(question);
    return named(question);
  };
  const past: PastImages = {
    show: async (id, at) => (id === 'none' ? undefined : answer(`${id} at ${at}`)),
    list: async ({ viewer }, at) => [answer(`${viewer.projectId}’s at ${at}`)],
    positionAt: async () => ({ position: 0n, isPast: true }),
  };
  return { past, questions };
}

describe('the past that is kept', () => {
  test('is read once for each position, image, and question of a viewer', async () => {
    const { past, questions } = asked();
    const kept = keptPast(past, { weight: 1_000_000 });
    for (let round = 0; round < 3; round += 1) {
      assert.equal((await kept.show('a', 1n))?.name, 'a at 1');
      assert.equal((await kept.show('a', 12n))?.name, 'a at 12');
      assert.equal((await kept.show('b', 1n))?.name, 'b at 1');
      assert.equal(await kept.show('none', 1n), undefined);
      assert.equal((await kept.list(query('red'), 1n))[0]?.name, 'red’s at 1');
      assert.equal((await kept.list(query('blue'), 1n))[0]?.name, 'blue’s at 1');
      assert.equal((await kept.list(query('red'), 2n))[0]?.name, 'red’s at 2');
    }
    assert.equal(questions.length, 6);
  });

  test('is read anew once it was forgotten, what is on its way included', async () => {
    const { past, questions } = asked();
    const kept = keptPast(past, { weight: 1_000_000 });
    const underWay = kept.show('a', 1n);
    kept.forget();
    await underWay;
    await kept.show('a', 1n);
    kept.forget();
    await kept.show('a', 1n);
    assert.equal(questions.length, 3);
  });

  test('is no more than it may be', async () => {
    const { past, questions } = asked();
    const kept = keptPast(past, { weight: 5_000 });
    for (let image = 0; image < 100; image += 1) await kept.show(`image ${image}`, 1n);
    await kept.show('image 0', 1n);
    assert.equal(questions.length, 101);
    const none = keptPast(past, { weight: 0 });
    await none.show('a', 1n);
    await none.show('a', 1n);
    assert.equal(questions.length, 103);
  });
});
