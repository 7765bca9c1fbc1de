import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Pool } from 'pg';
import type { ImageCommand } from '../../domain/image/commands.ts';
import { image } from '../../domain/image/image.ts';
import { absent, type Image } from '../../domain/image/state.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import {
  nothingKnown,
  type Values,
  withDifferences,
} from '../../projections/history/differences.ts';
import { pastQueries } from '../../projections/history/past.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import type { ListQuery } from '../../projections/images/list-query.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { admin, attributes, result } from '../domain/fixtures.ts';
import { askedInTurn, decided, newest } from '../domain/image-commands.ts';
import { ImageModel } from '../domain/image-model.ts';
import { random } from '../projections/history.ts';
import { migrations } from '../projections/read-model.ts';
import { newEvent, uuid } from '../projections/recorded.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { buildHistory } from './read-model.ts';

const seed = seedOfThisRun();
const commands = 10_000;
const instants = 200;
const imagesAtOnce = 40;

type Told = ReturnType<ImageModel['tell']>;

/** What the model says of every image, once everything up to a position has happened. */
interface Instant {
  readonly position: bigint;
  readonly images: ReadonlyMap<string, Told>;
}

interface Living {
  readonly id: string;
  readonly left: ImageCommand[];
  readonly model: ImageModel;
  state: Image;
  revision: number;
}

const uploadId = 'first';
const created: ImageCommand = { type: 'CreateImage', caller: admin, attributes };
const filled: readonly ImageCommand[] = [
  {
    type: 'BeginUpload',
    caller: admin,
    uploadId,
    owner: 'gateway',
    declaredSize: null,
    store: 'file',
  },
  { type: 'CompleteUpload', uploadId, size: 7 },
  { type: 'ClaimIngest', uploadId, supersedes: -1, owner: 'worker' },
  { type: 'CompleteIngest', uploadId, epoch: -1, result },
];

/** Chance alone would have most images never begin, or end at once. */
const worthLiving = (
  turn: readonly ImageCommand[],
  chance: () => number,
): readonly ImageCommand[] => [
  created,
  ...(chance() < 0.5 ? filled : []),
  ...turn.filter(({ type }) => type !== 'DeleteImage' || chance() < 0.3),
];

/** Images that live side by side, each through commands of its own; the model is kept beside them. */
async function lived(log: ReturnType<typeof memoryEventLog>): Promise<readonly Instant[]> {
  const next = random(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const lives = fc
    .sample(askedInTurn, { seed, numRuns: 3_000 })
    .map((turn) => [...worthLiving(turn, next)]);
  const all: Living[] = [];
  const found: Instant[] = [];
  const remembered = new Set(Array.from({ length: 2 * instants }, () => below(commands)));
  for (let done = 0; done < commands; ) {
    const open = all.filter(({ left }) => left.length > 0);
    if (open.length < imagesAtOnce) {
      const left = lives.pop() ?? [];
      const id = uuid(`image ${seed} ${all.length}`);
      all.push({ id, left, model: new ImageModel(), state: absent, revision: -1 });
      continue;
    }
    const living = open[below(open.length)] as Living;
    const command = newest(living.left.shift() as ImageCommand, living.state);
    living.model.apply(command);
    const events = decided(command, living.state);
    if (events === 'refused' || events.length === 0) continue;
    const stored = events.map((event, index) => newEvent(event, `${seed} ${done} ${index}`));
    await log.append(`image-${living.id}`, stored, living.revision);
    living.revision += events.length;
    living.state = events.reduce(image.evolve, living.state);
    if (remembered.has(done) && found.length < instants)
      found.push({
        position: await log.head(),
        images: new Map(all.map(({ id, model }) => [id, model.tell()])),
      });
    done += 1;
  }
  return found;
}

const everything: ListQuery = {
  viewer: { projectId: null, isAdmin: true },
  filters: [],
  visibility: 'all',
  memberStatus: 'all',
  hidden: false,
  sort: [{ key: 'id', direction: 'asc' }],
  marker: undefined,
  limit: 1_000,
};

const toldOfRecord = (record: ImageRecord): Told => ({
  status: record.status,
  name: record.name,
  protected: record.protected,
  tags: [...record.tags].sort(),
  properties: Object.entries(record.properties).sort(),
  members: record.members.map(({ projectId, status }) => [projectId, status]),
  key: record.locations[0]?.key ?? '',
});

/** The same of what differences have come to. */
function toldOfValues(values: Values): Told {
  const field = (name: string) => values.get(`field ${name}`)?.value ?? null;
  const status = String(field('status') ?? 'absent');
  if (status === 'absent' || status === 'deleted') return { status };
  const of = (kind: string) => [...values.values()].filter((value) => value.kind === kind);
  const [location] = (field('locations') ?? []) as unknown as readonly { readonly key: string }[];
  return {
    status,
    name: field('name') as string | null,
    protected: field('protected') === true,
    tags: of('tag')
      .map(({ name }) => name)
      .sort(),
    properties: of('property')
      .map(({ name, value }): [string, string] => [name, String(value)])
      .sort(),
    members: of('member').map(({ name, value }): [string, string] => [name, String(value)]),
    key: location?.key ?? '',
  };
}

describe(`${commands} random commands (seed ${seed})`, () => {
  const log = memoryEventLog({ upcast: (event) => event });
  let pool: Pool;
  let found: readonly Instant[];

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    found = await lived(log);
    await buildHistory(pool, log);
  });

  test(`as of ${instants} instants the images are what a simple model says`, async (t) => {
    const past = pastQueries(pool);
    const seen = new Set<string>();
    assert.equal(found.length, instants);
    for (const { position, images } of found) {
      const there = [...images].filter(([, { status }]) => !['absent', 'deleted'].includes(status));
      const records = await past.list(everything, position);
      assert.deepEqual(
        new Map(records.map((record) => [record.id, toldOfRecord(record)])),
        new Map(there.sort(([one], [other]) => (one < other ? -1 : 1))),
        `as of ${position}`,
      );
      const byId = new Map(there);
      for (const [index, [id, { status }]] of [...images].entries()) {
        seen.add(status);
        if (index % 40 !== Number(position % 40n)) continue;
        const record = await past.show(id, position);
        assert.deepEqual(record && toldOfRecord(record), byId.get(id));
      }
    }
    t.diagnostic(`${await log.head()} events, ${found.at(-1)?.images.size} images`);
    for (const status of ['absent', 'queued', 'saving', 'active', 'deleted'])
      assert.ok(seen.has(status), `no image was ever ${status}: this proves too little`);
  });

  test('what changed, one after the other, comes to what the images were', async () => {
    const history = historyQueries(pool);
    const viewer = { projectId: null, seesAll: true };
    const values = new Map<string, Values>();
    let after = 0n;
    for (const { position, images } of found) {
      while (after < position) {
        const asked = { viewer, filter: {}, after, upTo: position, limit: 1_000 };
        const { changes, next } = await history.page(asked);
        for (const { object, differences } of changes) {
          const id = String(object);
          values.set(id, withDifferences(values.get(id) ?? nothingKnown, differences));
        }
        after = next;
      }
      for (const [id, told] of images)
        assert.deepEqual(toldOfValues(values.get(id) ?? nothingKnown), told, `${id} ${position}`);
    }
  });

  test('each old value is what the value was', async () => {
    const history = historyQueries(pool);
    const upTo = await log.head();
    const values = new Map<string, Values>();
    let compared = 0;
    for (let after = 0n; after < upTo; ) {
      const viewer = { projectId: null, seesAll: true };
      const page = await history.page({ viewer, filter: {}, after, upTo, limit: 1_000 });
      for (const { object, differences } of page.changes) {
        const before = values.get(String(object)) ?? nothingKnown;
        for (const { kind, name, old } of differences) {
          assert.deepEqual(before.get(`${kind} ${name}`)?.value ?? null, old);
          compared += 1;
        }
        values.set(String(object), withDifferences(before, differences));
      }
      after = page.next;
    }
    assert.ok(compared > commands / 2);
  });
});
