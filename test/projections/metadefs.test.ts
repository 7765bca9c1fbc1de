import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import { handleMetadefs } from '../../apps/handle-metadef.ts';
import { runProjector } from '../../apps/projector/run-projector.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { metadefAccess } from '../../domain/metadef/access.ts';
import { type ChangeCommand, operator } from '../../domain/metadef/commands.ts';
import type { Definition, Definitions } from '../../domain/metadef/content.ts';
import { namespaceDecider } from '../../domain/metadef/namespace.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { Refused } from '../../domain/refused.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { liveGeneration, schemaOf } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { type NamespaceQuery, sortKeys } from '../../projections/metadefs/metadefs.ts';
import { metadefsProjection } from '../../projections/metadefs/projection.ts';
import { metadefQueries } from '../../projections/metadefs/queries.ts';
import type { Projection } from '../../projections/projection.ts';
import { memoryMetadefs } from '../support/gateway-metadefs.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { random } from './history.ts';
import { migrations, ownLease, quiet, unexpected } from './read-model.ts';

const seed = seedOfThisRun();

function project(pool: Pool, log: EventLog, projection: Projection<object>) {
  const stop = new AbortController();
  const running = runProjector({
    projection,
    pool,
    log,
    logger: quiet,
    lease: ownLease,
    onUnprojectable: unexpected,
    passStep: () => {},
    stopping: stop.signal,
    onReady: () => {},
  });
  return async () => {
    stop.abort();
    await running;
  };
}

const caughtUp = async (pool: Pool, log: EventLog, projection: Projection<object>) => {
  const head = await log.head();
  await until(`${projection.name} to catch up`, async () => {
    const generation = await liveGeneration(pool, projection).catch(() => undefined);
    return generation !== undefined && generation.position >= head;
  });
};

/** Commands by chance on a few names, through the deciders; what is refused is no event. */
function life(log: EventLog) {
  const next = random(seed);
  const handle = handleMetadefs(log, namespaceDecider(metadefAccess(parsePolicy(null))));
  const pick = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(next() * values.length)] as Value;
  const names = ['a', 'b', 'c/d', '100%', 'größe', '🙂'];
  const definition = (): Definition => ({
    name: pick(['one', 'two', 'three', 'vier']),
    title: `title ${Math.floor(next() * 5)}`,
  });
  const some = (): readonly Definition[] => [
    ...new Map([definition(), definition()].map((one) => [one.name, one])).values(),
  ];
  const content = (namespace: string) => ({
    attributes: {
      namespace,
      displayName: pick([null, 'A', 'B']),
      description: pick([null, 'x']),
      visibility: pick(['public', 'private'] as const),
      protected: next() < 0.3,
      owner: pick(['red', 'blue', null]),
    },
    definitions: {
      association: some(),
      property: some(),
      object: some(),
      tag: some(),
    } satisfies Definitions,
  });
  const command = (): ChangeCommand => {
    const common = { by: operator, namespace: pick(names) };
    const kind = pick(['property', 'object', 'tag'] as const);
    const { name } = definition();
    return pick<ChangeCommand>([
      { type: 'UpdateNamespace', ...common, attributes: content(pick(names)).attributes },
      { type: 'UpdateNamespace', ...common, attributes: content(common.namespace).attributes },
      { type: 'AddDefinition', ...common, kind, definition: definition() },
      { type: 'AddDefinition', ...common, kind: 'association', definition: definition() },
      { type: 'ChangeDefinition', ...common, kind, name, definition: definition() },
      { type: 'RemoveDefinition', ...common, kind: pick([kind, 'association'] as const), name },
      { type: 'AddTags', ...common, names: some().map((one) => one.name), append: next() < 0.5 },
      {
        type: 'LoadNamespace',
        ...common,
        content: content(common.namespace),
        mode: pick(['merge', 'prefer-new', 'overwrite'] as const),
      },
      ...(next() < 0.3
        ? ([
            { type: 'DeleteNamespace', ...common },
            { type: 'RemoveDefinitions', ...common, kind },
          ] as const)
        : []),
    ]);
  };
  const metadata = {
    actor: { kind: 'system', part: 'test' },
    requestId: 'req-1',
    correlationId: '1',
  } as const;
  const run = { metadata, deadline: new AbortController().signal };
  return async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1)
      try {
        if (next() < 0.2) await handle.create(operator, content(pick(names)), run);
        else await handle.change(command(), run);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
  };
}

async function rowsOf(pool: Pool): Promise<readonly string[]> {
  const generation = await liveGeneration(pool, metadefsProjection);
  assert.ok(generation);
  const tables = Object.keys(metadefsProjection.tables);
  const { rows } = await pool.query<{ row: string }>(
    `${tables
      .map(
        (table) =>
          `select '${table} ' || to_jsonb(t)::text as row from ${schemaOf('metadefs', generation.number)}.${table} as t`,
      )
      .join(' union all ')} order by row`,
  );
  return rows.map(({ row }) => row);
}

test(`a rebuilt read model equals the live one, which another runs beside (seed ${seed})`, async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  const goOn = life(log);
  const stops = [metadefsProjection, imagesProjection].map((one) => project(pool, log, one));
  for (let round = 0; round < 10; round += 1) {
    await goOn(60);
    if (round % 3 === 0) await caughtUp(pool, log, metadefsProjection);
  }
  for (const one of [metadefsProjection, imagesProjection]) await caughtUp(pool, log, one);
  const rows = await rowsOf(pool);
  for (const table of ['namespace', 'content', 'types'])
    assert.ok(
      rows.some((row) => row.startsWith(table)),
      `the history left ${table}`,
    );
  const before = await liveGeneration(pool, metadefsProjection);
  await Promise.all(stops.map((stop) => stop()));
  const signal = new AbortController().signal;
  await rebuild({ projection: metadefsProjection, pool, log, signal, onUnprojectable: unexpected });
  assert.notEqual((await liveGeneration(pool, metadefsProjection))?.number, before?.number);
  assert.deepEqual(await rowsOf(pool), rows);

  const queries = metadefQueries(pool);
  const memory = memoryMetadefs(log);
  const names = await queries.names();
  assert.deepEqual(names, [...(await memory.names())].sort(byCodePoint));
  assert.equal(new Set(names).size, names.length, 'no name is shared');
  for (const name of [...names, 'nobody', 'nul\0'])
    assert.deepEqual(await queries.show(name), await memory.show(name));
  assert.deepEqual(await queries.resourceTypes(), await memory.resourceTypes());
});

test('pages of any sorting put together are the whole list, for whoever looks', async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  await life(log)(300);
  const signal = new AbortController().signal;
  await rebuild({ projection: metadefsProjection, pool, log, signal, onUnprojectable: unexpected });
  const queries = metadefQueries(pool);
  const memory = memoryMetadefs(log);
  const viewers: readonly NamespaceQuery['viewer'][] = [
    { projectId: 'red', isAdmin: false },
    { projectId: null, isAdmin: false },
    { projectId: 'red', isAdmin: true },
  ];
  let seen = 0;
  for (const viewer of viewers)
    for (const key of sortKeys)
      for (const direction of ['asc', 'desc'] as const)
        for (const resourceTypes of [undefined, ['one', 'two']]) {
          const query = {
            ...{ viewer, resourceTypes, sort: { key, direction }, limit: 1000 },
            ...{ visibility: undefined, marker: undefined },
          };
          const all = await memory.list(query);
          seen += all.length;
          const wanted = all.map(({ namespace }) => namespace);
          const whole = await queries.list(query);
          assert.deepEqual(
            whole.map(({ namespace }) => namespace),
            wanted,
            key,
          );
          const paged: string[] = [];
          for (;;) {
            const page = await queries.list({ ...query, limit: 2, marker: paged.at(-1) });
            paged.push(...page.map(({ namespace }) => namespace));
            if (page.length < 2) break;
          }
          assert.deepEqual(paged, wanted, `${key} ${direction}`);
        }
  assert.ok(seen > 0);
});

test('a batch that is about something else moves the checkpoint alone', async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  await life(log)(50);
  const stop = project(pool, log, metadefsProjection);
  await caughtUp(pool, log, metadefsProjection);
  const rows = await rowsOf(pool);
  const [event] = await log.readAll(0n, 1);
  assert.ok(event);
  await log.append('image-x', [{ ...event, id: 'another', type: 'ImageDeleted', data: {} }], -1);
  await caughtUp(pool, log, metadefsProjection);
  assert.deepEqual(await rowsOf(pool), rows);
  await stop();
});

const byCodePoint = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));
