import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import type { Image } from '../../domain/image/state.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { askedInTurn, decided, newest } from './image-commands.ts';
import { ImageModel, type Verdict } from './image-model.ts';

test('whatever is asked in whatever order, the image is what a simple model says', (context) => {
  const seed = seedOfThisRun();
  context.diagnostic(`random commands: seed ${seed}`);
  const seen = new Set<string>();
  fc.assert(
    fc.property(askedInTurn, (commands) => {
      const model = new ImageModel();
      const facts: ImageEvent[] = [];
      let state: Image = image.initial;
      for (const written of commands) {
        const command = newest(written, state);
        const before = JSON.stringify(state);
        const events = decided(command, state);
        const verdict: Verdict = events === 'refused' ? 'refused' : 'ok';
        assert.equal(JSON.stringify(state), before, 'deciding changes nothing');
        if (events !== 'refused') facts.push(...events);
        if (events !== 'refused') state = events.reduce(image.evolve, state);
        assert.equal(verdict, model.apply(command), `${command.type} in ${before}`);
        assert.deepEqual(ImageModel.told(state), model.tell());
        seen.add(`${command.type} ${verdict}`).add(state.status);
        for (const event of events === 'refused' ? [] : events) {
          seen.add(event.type);
          if (event.type === 'IngestFailed' && event.data.reason === 'workers-died')
            seen.add('five deaths');
        }
      }
      assert.deepEqual(facts.reduce(image.evolve, image.initial), state, 'replay is the same');
      const stored = JSON.parse(JSON.stringify(facts)) as ImageEvent[];
      assert.deepEqual(stored.reduce(image.evolve, image.initial), state, 'stored and read too');
    }),
    { seed, numRuns: 2_000 },
  );
  for (const reached of [
    'active',
    'deactivated',
    'deleted',
    'ImageDataRemoved',
    'five deaths',
    'IngestReleased',
  ])
    assert.ok(seen.has(reached), `the commands never led to ${reached}: they prove too little`);
});
