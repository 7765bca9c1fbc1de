import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from './content.ts';
import { oracle, type Shown } from './oracle.ts';

const content = contentOf('bytes', 1000);
const shown: Shown = {
  id: 'image',
  status: 'active',
  name: 'one',
  rev: 'one',
  tags: [],
  size: content.size,
  checksum: content.md5,
  os_hash_value: content.sha512,
};

function uploaded() {
  const witness = oracle();
  witness.keep(content);
  const image = witness.learn('image', 'one');
  image.life.became('queued');
  image.life.became(`active ${content.id}`);
  return { witness, image };
}

const problems = (change: Partial<Shown> | undefined): readonly string[] => {
  const { witness, image } = uploaded();
  return witness.judge(image, change === undefined ? undefined : { ...shown, ...change });
};

test('the oracle is content with what was answered, and tells everything that is not so', () => {
  const { witness, image } = uploaded();
  assert.deepEqual(witness.judge(image, shown), []);
  assert.equal(witness.contentOf(image), content);
});

test('the oracle tells an image, a status, bytes, a name, half a patch and a tag that are lost', () => {
  assert.match(problems(undefined).join(), /its life is "unseen", not "active /);
  assert.match(problems({ status: 'saving' }).join(), /its life/);
  assert.match(problems({ status: 'queued', size: null }).join(), /its life is "queued"/);
  assert.match(problems({ checksum: 'other' }).join(), /its life/);
  assert.match(problems({ size: 999 }).join(), /its life/);
  assert.match(problems({ name: 'two' }).join(), /its name.*rev/);
  assert.match(problems({ rev: 'two' }).join(), /rev/);
  assert.match(problems({ tags: ['ghost'] }).join(), /tag ghost is true, not false/);
});

test('the oracle takes either outcome of an unanswered request, and holds to it once it was seen', () => {
  for (const name of ['one', 'two']) {
    const { witness, image } = uploaded();
    image.name.mayHaveBecome('two');
    const now = { ...shown, name, rev: name };
    assert.deepEqual(witness.judge(image, now), []);
    assert.deepEqual(witness.judge(image, now), []);
    const turned = name === 'one' ? 'two' : 'one';
    assert.equal(witness.judge(image, { ...now, name: turned, rev: turned }).length, 1);
  }
});

test('the oracle tells a deleted image that comes back', () => {
  const { witness, image } = uploaded();
  image.life.became('unseen');
  assert.deepEqual(witness.judge(image, undefined), []);
  assert.match(witness.judge(image, shown).join(), /its life/);
});
