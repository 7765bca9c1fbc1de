import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Images } from '../../projections/images/images.ts';
import type { ListQuery } from '../../projections/images/list-query.ts';
import { nearImages } from '../../projections/images/near-images.ts';
import type { ImageRecord } from '../../projections/images/record.ts';

/** Three images whose `minRam` counts their changes, as a log, a read model that lags it, and a tail that lags it too. */
class World {
  readonly log: number[] = [];
  shown = 0;
  heardTo = 0;
  current = true;
  asked = 0;
  /** Questions on their way: each sees the read model when it is let go, not when it was asked. */
  readonly flights: (() => void)[] = [];

  readonly near = nearImages(
    {
      show: (imageId) => this.later(() => this.record(Number(imageId))),
      list: () => this.later(() => [0, 1, 2].map((image) => this.record(image))),
    } as Partial<Images> as Images,
    { isCurrent: () => this.current, reached: () => BigInt(this.shown) },
    { weight: 1_000_000 },
  );

  hear(): void {
    const image = this.log[this.heardTo];
    if (image === undefined) return;
    this.heardTo += 1;
    this.near.heard({
      streamId: `image-${image}`,
      position: BigInt(this.heardTo),
    } as RecordedEvent);
  }

  changes(image: number, to: number): number {
    return this.log.slice(0, to).filter((one) => one === image).length;
  }

  private record(image: number): ImageRecord {
    const minRam = this.changes(image, this.shown);
    return { minRam, members: [], properties: {}, tags: [] } as Partial<ImageRecord> as ImageRecord;
  }

  private later<Answer>(answer: () => Answer): Promise<Answer> {
    this.asked += 1;
    return new Promise((resolve) => this.flights.push(() => resolve(answer())));
  }
}

const query = { limit: 25 } as ListQuery;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('append' as const), image: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('project' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('hear' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('show' as const), image: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('list' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('let-go' as const), which: fc.nat(5) }) },
);

test('what was acknowledged before a question is in its answer, however late the parts hear of it', async () => {
  const play = fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80 }), async (steps) => {
    const world = new World();
    const answers: Promise<unknown>[] = [];
    const wrong: unknown[] = [];
    const noted = (answer: Promise<void>): void => {
      answers.push(answer.catch((error) => wrong.push(error)));
    };
    for (const one of steps) {
      // A success is answered when both the read model and this process have it.
      const acknowledged = Math.min(world.shown, world.heardTo);
      if (one.do === 'append') world.log.push(one.image);
      if (one.do === 'project') world.shown = Math.min(world.shown + 1, world.log.length);
      if (one.do === 'hear') world.hear();
      if (one.do === 'show') {
        const least = world.changes(one.image, acknowledged);
        const shown = world.near.show(String(one.image));
        noted(
          shown.then((record) =>
            assert.ok((record?.minRam ?? -1) >= least, `${record?.minRam} of ${least}`),
          ),
        );
      }
      if (one.do === 'list') {
        const least = [0, 1, 2].map((image) => world.changes(image, acknowledged));
        noted(
          world.near.list(query).then((page) => {
            for (const [image, { minRam }] of page.entries())
              assert.ok(minRam >= (least[image] ?? 0), `${minRam} of ${least[image]}`);
          }),
        );
      }
      if (one.do === 'let-go')
        world.flights.splice(one.which % Math.max(1, world.flights.length), 1)[0]?.();
      await settled();
    }
    while (world.flights.length > 0) {
      world.flights.splice(0).forEach((go) => {
        go();
      });
      await settled();
    }
    await Promise.all(answers);
    assert.deepEqual(wrong, []);
  });
  await fc.assert(play, { numRuns: 500 });
});

test('a second question is answered from memory, until an event touches the image', async () => {
  const world = new World();
  const ask = async (): Promise<number | undefined> => {
    const answer = world.near.show('0');
    for (const go of world.flights.splice(0)) go();
    return (await answer)?.minRam;
  };
  world.log.push(0, 1);
  world.shown = 2;
  world.hear();
  world.hear();
  assert.equal(await ask(), 1);
  assert.equal(await ask(), 1);
  assert.equal(world.asked, 1);
  world.log.push(0);
  world.hear();
  assert.equal(await ask(), 1, 'the read model does not have it yet: asked, and not kept');
  world.shown = 3;
  assert.equal(await ask(), 2);
  assert.equal(await ask(), 2);
  assert.equal(world.asked, 3);
});

test('questions that are asked together are one question', async () => {
  const world = new World();
  const both = Promise.all([world.near.list(query), world.near.list({ ...query })]);
  assert.equal(world.flights.length, 1);
  world.flights[0]?.();
  const [one, other] = await both;
  assert.equal(one, other);
});

test('a process that is not current asks the read model, and keeps nothing', async () => {
  const world = new World();
  world.current = false;
  for (let count = 1; count <= 2; count++) {
    const answer = world.near.show('0');
    for (const go of world.flights.splice(0)) go();
    await answer;
    assert.equal(world.asked, count);
  }
});

test('an image that work goes on with is asked for every time, alone and in a page', async () => {
  for (const record of [
    { status: 'importing', imports: null },
    { status: 'active', imports: { taskId: 'task', to: ['slow'], failed: [] } },
  ]) {
    let asked = 0;
    const answer = { ...record, members: [], properties: {}, tags: [] } as Partial<ImageRecord>;
    const near = nearImages(
      {
        show: async () => {
          asked += 1;
          return answer as ImageRecord;
        },
        list: async () => {
          asked += 1;
          return [answer as ImageRecord];
        },
      } as Partial<Images> as Images,
      { isCurrent: () => true, reached: () => 1n },
      { weight: 10_000 },
    );
    for (const _ of [1, 2]) await near.show('0');
    for (const _ of [1, 2]) await near.list(query);
    assert.equal(asked, 4);
  }
});

test('a failed question is asked again', async () => {
  let fails = true;
  const near = nearImages(
    {
      show: async () => {
        if (fails) throw new Error('away');
        return undefined;
      },
    } as Partial<Images> as Images,
    { isCurrent: () => true, reached: () => 1n },
    { weight: 1000 },
  );
  await assert.rejects(near.show('0'), /away/);
  fails = false;
  assert.equal(await near.show('0'), undefined);
});
