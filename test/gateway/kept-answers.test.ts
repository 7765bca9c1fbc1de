import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { usualHouseRules } from '../../apps/gateway/house-rules.ts';
import { pageAnswers } from '../../apps/gateway/page-answers.ts';
import { newRouter } from '../../apps/gateway/routes/routes.ts';
import type { Reading } from '../../apps/gateway/wire/image.ts';
import { imageTexts, withMembers } from '../../apps/gateway/wire/image-text.ts';
import type { Caller } from '../../domain/image/access.ts';
import type { ImageRecord } from '../../projections/images/record.ts';

const imageRecord = (some: Partial<ImageRecord> = {}): ImageRecord => ({
  ...{ id: '11111111-2222-3333-4444-555555555555', name: 'one', status: 'queued', owner: 'a' },
  ...{ visibility: 'private', protected: false, hidden: false, members: [], locations: [] },
  ...{ diskFormat: 'raw', containerFormat: 'bare', size: null, virtualSize: null, minDisk: 0 },
  ...{ checksum: null, hashAlgorithm: null, hashValue: null, minRam: 0, tags: [], properties: {} },
  ...{ createdAt: new Date(0), updatedAt: new Date(0), imports: null, failure: null },
  ...some,
});

const caller = (projectId: string): Caller => ({ userId: 'u', projectId, roles: ['member'] });
const reading = (view: string | null, hidden: string[] = []): Reading => ({
  view,
  isReadable: (name) => !hidden.includes(name),
  schema: usualHouseRules.schema,
  placesOf: () => ({}),
});

describe('answers to listings that are kept', () => {
  const page: readonly ImageRecord[] = [imageRecord()];
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

  test('are given again to the same caller who asks the same of the same page', () => {
    const answers = pageAnswers();
    const one = answers.of(page, caller('a'), 'limit=1', () => 'made');
    const same = caller('a');
    const first = answers.of(page, same, 'limit=1', () => 'made');
    assert.notEqual(first, one);
    assert.equal(
      answers.of(page, same, 'limit=1', () => assert.fail('it is there')),
      first,
    );
  });

  test('are nobody else’s, of no other question, and of no other page', () => {
    const answers = pageAnswers();
    const [alice, bob] = [caller('a'), caller('b')];
    answers.of(page, alice, 'limit=1', () => 'alice’s');
    assert.equal(text(answers.of(page, bob, 'limit=1', () => 'bob’s')), 'bob’s');
    assert.equal(text(answers.of(page, alice, 'limit=2', () => 'another')), 'another');
    assert.equal(text(answers.of([...page], alice, 'limit=1', () => 'newer')), 'newer');
    assert.equal(text(answers.of(page, alice, 'limit=1', () => 'again')), 'alice’s');
  });

  test('are few for one page, however many ask', () => {
    const answers = pageAnswers();
    const alice = caller('a');
    answers.of(page, alice, '', () => 'first');
    for (let other = 0; other < 8; other += 1) answers.of(page, caller('b'), '', () => 'other');
    assert.equal(text(answers.of(page, alice, '', () => 'made anew')), 'made anew');
  });
});

describe('the text of an image', () => {
  test('is made once for all to whom it looks alike', () => {
    const textOf = imageTexts();
    const record = imageRecord({ properties: { secret: 'x' } });
    assert.match(textOf(record, reading('any')), /"secret":"x"/);
    // What it hides is not asked: by its view it is the same.
    assert.match(textOf(record, reading('any', ['secret'])), /"secret":"x"/);
    assert.doesNotMatch(textOf(record, reading('other', ['secret'])), /secret/);
    assert.match(textOf(record, reading('any')), /"secret":"x"/);
  });

  test('is made for each who asks where callers are shown different properties', () => {
    const textOf = imageTexts();
    const record = imageRecord({ properties: { secret: 'x' } });
    assert.match(textOf(record, reading(null)), /secret/);
    assert.doesNotMatch(textOf(record, reading(null, ['secret'])), /secret/);
  });

  test('takes further members', () => {
    assert.equal(withMembers('{"a":1}', {}), '{"a":1}');
    assert.deepEqual(JSON.parse(withMembers('{"a":1}', { b: '2' })), { a: 1, b: '2' });
  });
});

test('a route that was found for one UUID reads its parameters from the path at hand', async () => {
  const router = newRouter();
  const seen: unknown[] = [];
  router.get('/v2/images/:imageId/tags/:tag', (ctx) => {
    seen.push({ ...ctx.params });
  });
  const routes = router.routes();
  const ids = ['11111111-2222-3333-4444-555555555555', 'ABCDEF00-2222-3333-4444-555555555555'];
  for (const id of ids)
    for (const tag of ['one', id])
      await routes(
        { method: 'GET', path: `/v2/images/${id}/tags/${tag}`, host: '', request: {} } as never,
        async () => {},
      );
  assert.deepEqual(
    seen,
    ids.flatMap((id) => ['one', id].map((tag) => ({ imageId: id, tag }))),
  );
});
