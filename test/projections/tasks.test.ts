import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type TaskEvent, task } from '../../domain/task/task.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { fold, type TaskEntry, taskIdOf } from '../../projections/tasks/fold.ts';
import { tasksProjection } from '../../projections/tasks/projection.ts';
import { taskQueries } from '../../projections/tasks/queries.ts';
import {
  sortKeys,
  TaskMarkerUnknown,
  type TaskQuery,
  type Tasks,
} from '../../projections/tasks/tasks.ts';
import { memoryTasks } from '../support/gateway-tasks.ts';
import { testDatabase } from '../support/postgres.ts';
import { specOf } from '../support/spec.ts';
import { logOf, migrations, unexpected } from './read-model.ts';
import { at, newEvent, plain, recorded, uuid } from './recorded.ts';

const imageId = uuid('an image');
const uploadId = uuid('an import');
const requested: ImageEvent = {
  type: 'ImportRequested',
  data: {
    uploadId,
    method: { name: 'glance-direct' },
    stores: ['fast', 'cheap'],
    allStoresMustSucceed: true,
  },
};
const claimed: ImageEvent = {
  type: 'IngestClaimed',
  data: { uploadId, epoch: 1, supersedes: 0, owner: 'worker-1' },
};
const storeFailed = (store: string): ImageEvent => ({
  type: 'ImportStoreFailed',
  data: { uploadId, epoch: 1, store, reason: 'store-full', message: `store ${store}: it is full` },
});
const completed: ImageEvent = { type: 'ImportCompleted', data: { uploadId } };
const failed: ImageEvent = {
  type: 'IngestFailed',
  data: { uploadId, epoch: 1, reason: 'format-refused', message: 'it is no qcow2' },
};

const after = (...events: readonly ImageEvent[]) =>
  recorded(imageId, events)
    .filter((event) => taskIdOf(event) !== undefined)
    .reduce<TaskEntry>(fold, {}).task;

describe('the task of an import', () => {
  test('waits when it is asked for, in the name of who asked', () => {
    assert.deepEqual(after(requested), {
      id: uploadId,
      type: 'api_image_import',
      status: 'pending',
      imageId,
      owner: 'project-a',
      userId: 'user',
      requestId: 'req-1',
      input: {
        image_id: imageId,
        import_req: {
          method: { name: 'glance-direct' },
          stores: ['fast', 'cheap'],
          all_stores_must_succeed: true,
        },
        backend: ['fast', 'cheap'],
      },
      result: null,
      message: '',
      createdAt: at(1),
      updatedAt: at(1),
      endedAt: null,
    });
  });

  for (const [what, events, wanted] of [
    ['is worked on once it is claimed', [claimed], { status: 'processing', endedAt: null }],
    [
      'succeeds with the image for a result',
      [claimed, completed],
      { status: 'success', message: '', result: { image_id: imageId }, endedAt: at(3) },
    ],
    [
      'succeeds though stores failed, with their reasons for a message',
      [claimed, storeFailed('fast'), storeFailed('cheap'), completed],
      {
        status: 'success',
        message: 'store fast: it is full; store cheap: it is full',
        endedAt: at(5),
      },
    ],
    [
      'fails with the reason for a message',
      [claimed, failed],
      { status: 'failure', message: 'it is no qcow2', result: null, endedAt: at(3) },
    ],
    [
      'fails when its image is deleted',
      [claimed, { type: 'ImageDeleted', data: { uploadId } }],
      {
        status: 'failure',
        message: 'The image was deleted while its import was under way.',
        endedAt: at(3),
      },
    ],
    [
      'fails when its image is deleted for a while',
      [{ type: 'ImageDeletionScheduled', data: { uploadId, dueAt: at(9).toISOString() } }],
      { status: 'failure', endedAt: at(2) },
    ],
    [
      'stays as it ended, whatever comes later',
      [claimed, completed, { type: 'ImageDeleted', data: { uploadId } }],
      { status: 'success', endedAt: at(3) },
    ],
  ] as readonly [string, readonly ImageEvent[], object][])
    test(what, () => {
      const { status, message, result, endedAt } = after(requested, ...events) ?? {};
      assert.deepEqual(
        { status, message, result, endedAt },
        { status, message, result, endedAt, ...wanted },
      );
    });

  test('of a location says which', () => {
    const url = 'https://images.example/one';
    const validation = { algorithm: 'sha512', value: 'ab', checksum: null };
    const method = { locationId: 'l', store: 'web', url, metadata: {}, validation } as const;
    const { type, input } =
      after({
        type: 'ImportRequested',
        data: { ...requested.data, method: { name: 'location', ...method } } as never,
      }) ?? {};
    assert.equal(type, 'location_import');
    assert.deepEqual(input, {
      image_id: imageId,
      loc_url: url,
      validation_data: { os_hash_algo: 'sha512', os_hash_value: 'ab' },
    });
  });

  test('is none of a plain upload', () => {
    const upload: readonly ImageEvent[] = [
      { type: 'ImageCreated', data: plain },
      {
        type: 'UploadStarted',
        data: { uploadId, owner: 'gateway-1', declaredSize: null, store: 'file' },
      },
      claimed,
      failed,
    ];
    assert.equal(after(...upload), undefined);
    assert.equal(after({ type: 'ImageDeleted', data: {} }), undefined);
  });
});

const input: JsonObject = { import_from: 'http://example.org/x' };
const asked = { type: 'import', owner: 'project-a', input } as const;

describe('a task of its own', () => {
  const given = specOf(task);

  test('that is impossible here ends as it begins', () => {
    given()
      .when({ type: 'RequestTask', task: asked, impossible: 'there is no way' })
      .records(
        { type: 'TaskRequested', data: asked },
        { type: 'TaskStarted', data: {} },
        {
          type: 'TaskFailed',
          data: { message: 'there is no way' },
        },
      );
  });

  test('waits where it is possible, and is asked for once', () => {
    const request = { type: 'RequestTask', task: asked, impossible: null } as const;
    const facts: TaskEvent = { type: 'TaskRequested', data: asked };
    given().when(request).records(facts);
    given(facts).when(request).records();
  });
});

const hour = 3_600_000;
const day = 24 * hour;
const anHourAgo = Date.now() - hour;

/** Tasks of two projects in every state, and images without; positions as in a log. */
function events(): readonly RecordedEvent[] {
  const endings = [[], [claimed], [claimed, completed], [claimed, failed]];
  let position = 0;
  const ofImages = Array.from({ length: 24 }, (_, index) => {
    const id = uuid(`upload ${index}`);
    const facts = [requested, ...(endings[index % 4] ?? [])].map(
      ({ type, data }) => ({ type, data: { ...data, uploadId: id } }) as ImageEvent,
    );
    return recorded(uuid(`image ${index % 6}`), facts).map((event) => ({
      ...event,
      metadata: {
        ...event.metadata,
        actor: {
          kind: 'user',
          userId: 'u',
          projectId: index % 3 === 0 ? 'project-b' : 'project-a',
          roles: [],
        } as const,
      },
    }));
  });
  const own = task
    .decide({ type: 'RequestTask', task: asked, impossible: 'no' }, task.initial)
    .map((event, revision) => ({
      ...newEvent(event as never, `task ${revision}`),
      streamId: `task-${uuid('own task')}`,
      revision,
    }));
  return [...ofImages.flat(), ...own].map((event) => {
    position += 1;
    return { ...event, position: BigInt(position), recordedAt: new Date(anHourAgo + position) };
  });
}

async function tasksIn(pool: Pool): Promise<Tasks> {
  await rebuild({
    projection: tasksProjection,
    pool,
    log: logOf(events()),
    signal: new AbortController().signal,
    onUnprojectable: unexpected,
  });
  return taskQueries(pool, { timeToLiveMs: day });
}

describe('the tasks read model', () => {
  const admin = { projectId: 'project-b', isAdmin: true };
  const other = { projectId: 'project-b', isAdmin: false };
  const query: TaskQuery = {
    viewer: admin,
    status: undefined,
    type: undefined,
    sort: { key: 'created_at', direction: 'desc' },
    marker: undefined,
    limit: 100,
  };

  test('lists, filters, sorts and pages as the fold in memory does', async () => {
    const { pool } = await testDatabase(migrations);
    const tasks = await tasksIn(pool);
    const memory = memoryTasks(logOf(events()));
    const ids = async (from: Tasks, asking: TaskQuery): Promise<readonly string[]> =>
      (await from.list(asking)).map(({ id }) => id);
    for (const key of sortKeys)
      for (const direction of ['asc', 'desc'] as const)
        for (const viewer of [admin, other]) {
          const asking = { ...query, viewer, sort: { key, direction } };
          const whole = await ids(memory, asking);
          assert.ok(whole.length >= 8);
          assert.deepEqual(await ids(tasks, asking), whole, `${key} ${direction}`);
          const paged: string[] = [];
          for (let marker: string | undefined; ; marker = paged.at(-1)) {
            const page = await ids(tasks, { ...asking, marker, limit: 3 });
            paged.push(...page);
            if (page.length < 3) break;
          }
          assert.deepEqual(paged, whole, `${key} ${direction}, in pages`);
        }
    for (const filter of [
      { status: 'failure' },
      { status: 'pending' },
      { type: 'import' },
    ] as const)
      assert.deepEqual(
        await ids(tasks, { ...query, ...filter }),
        await ids(memory, { ...query, ...filter }),
      );
    assert.equal((await tasks.list({ ...query, type: 'import' })).length, 1);
    const [marker] = await ids(memory, query);
    const stranger = { projectId: 'project-c', isAdmin: false };
    await assert.rejects(tasks.list({ ...query, viewer: stranger, marker }), TaskMarkerUnknown);
    await assert.rejects(tasks.list({ ...query, marker: uuid('nothing') }), TaskMarkerUnknown);
  });

  test('shows each task as it was folded, and those of an image to whom they belong', async () => {
    const { pool } = await testDatabase(migrations);
    const tasks = await tasksIn(pool);
    for (const wanted of await memoryTasks(logOf(events())).list(query)) {
      const { expiresAt: _, ...shown } = (await tasks.show(wanted.id)) ?? { expiresAt: null };
      const { expiresAt: __, ...row } = wanted;
      assert.deepEqual(shown, row);
    }
    const image = uuid('image 0');
    assert.equal((await tasks.ofImage(image, admin)).length, 4);
    const own = await tasks.ofImage(image, other);
    assert.ok(own.length > 0 && own.every(({ owner }) => owner === 'project-b'));
    assert.deepEqual(await tasks.ofImage(image, { projectId: 'x', isAdmin: false }), []);
  });

  test('forgets what ended longer ago than it shall be shown, and never what goes on', async () => {
    const { pool } = await testDatabase(migrations);
    const all = await (await tasksIn(pool)).list(query);
    const ended = all.filter(({ endedAt }) => endedAt !== null);
    assert.ok(ended.length > 0 && ended.length < all.length);
    assert.ok(ended.every(({ endedAt, expiresAt }) => Number(expiresAt) === Number(endedAt) + day));
    const brief = taskQueries(pool, { timeToLiveMs: hour / 2 });
    const left = await brief.list(query);
    assert.deepEqual(
      left,
      all.filter(({ endedAt }) => endedAt === null),
    );
    const [one] = ended;
    assert.equal(await brief.show(one?.id ?? ''), undefined);
    assert.equal((await brief.ofImage(uuid('image 0'), admin)).length, 2);
  });
});
