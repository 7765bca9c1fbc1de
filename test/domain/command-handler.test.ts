import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CommandContext, commandHandler, type Left } from '../../domain/command-handler.ts';
import type { Decider } from '../../domain/decider.ts';
import {
  AppendUnknown,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';
import { Refused } from '../../domain/refused.ts';

type Counted = { readonly type: 'Counted'; readonly data: { readonly by: number } };

/** Counts up to five. A command of 0 changes nothing. */
const counter: Decider<number, number, Counted> = {
  initial: 0,
  decide(by, count) {
    if (count + by > 5) throw new Refused('limit-exceeded', `${count} and ${by} are above 5`);
    return by === 0 ? [] : [{ type: 'Counted', data: { by } }];
  },
  evolve: (count, event) => count + event.data.by,
};

const context: CommandContext = {
  commandId: 'command',
  metadata: { actor: { kind: 'system', part: 'test' }, requestId: 'req-1', correlationId: 'req-1' },
};

const stranger = (by: number): NewEvent => ({
  id: `stranger-${by}`,
  type: 'Counted',
  schemaVersion: 1,
  data: { by },
  metadata: { ...context.metadata, causationId: 'another' },
});

/** What happens around one append, before it is taken (`before`) or instead of an answer to it (`after`). */
interface Scene {
  readonly before?: (log: ReturnType<typeof scripted>) => void;
  readonly after?: () => Error;
}

/** A log in memory where each append meets the next scene. Other streams take every second position. */
function scripted(...scenes: readonly Scene[]) {
  const events: RecordedEvent[] = [];
  const script = [...scenes];
  let appends = 0;
  const record = (taken: readonly NewEvent[]) => {
    for (const event of taken)
      events.push({
        ...event,
        streamId: 'counter',
        revision: events.length,
        position: BigInt(2 * (events.length + 1)),
        recordedAt: new Date(0),
      });
  };
  const position = () => events.at(-1)?.position ?? 0n;
  const log = {
    events,
    record,
    appends: () => appends,
    readStream: async () => ({
      events: [...events],
      revision: events.length - 1,
      position: position(),
    }),
    append: async (streamId: string, taken: readonly NewEvent[], expected: number) => {
      appends += 1;
      const scene = script.shift();
      scene?.before?.(log);
      if (expected !== events.length - 1) throw new RevisionConflict(streamId, expected);
      record(taken);
      if (scene?.after) throw scene.after();
      return position();
    },
  };
  return log;
}

const never = new AbortController().signal;
const over = AbortSignal.abort();
const lost = () => new AppendUnknown('counter', new Error('connection reset'));

const handlerOver = (log: Pick<ReturnType<typeof scripted>, 'readStream' | 'append'>) =>
  commandHandler(counter, {
    log,
    eventId: (command, type, index) => `${command}/${type}/${index}`,
    schemaVersions: { Counted: 3 },
    pause: async () => {},
  });

const handle = (log: ReturnType<typeof scripted>, by: number, deadline = never) =>
  handlerOver(log)('counter', by, context, deadline);

describe('a command', () => {
  test('is appended with its ids, its cause and the newest schema version', async () => {
    const log = scripted();
    assert.deepEqual(await handle(log, 2), { position: 2n, state: 2, changed: true });
    const [event] = log.events;
    assert.equal(event?.id, 'command/Counted/0');
    assert.equal(event?.schemaVersion, 3);
    assert.deepEqual(event?.metadata, { ...context.metadata, causationId: 'command' });
  });

  test('that changes nothing gives the position that was read, and appends nothing', async () => {
    const log = scripted();
    assert.deepEqual(await handle(log, 0), { position: 0n, state: 0, changed: false });
    log.record([stranger(1), stranger(2)]);
    assert.deepEqual(await handle(log, 0), { position: 4n, state: 3, changed: false });
    assert.equal(log.appends(), 0);
  });

  test('that is refused appends nothing', async () => {
    const log = scripted();
    await assert.rejects(handle(log, 6), Refused);
    assert.equal(log.appends(), 0);
  });
});

describe('a lost race', () => {
  test('is decided again on the fresh state', async () => {
    const race = { before: (log: ReturnType<typeof scripted>) => log.record([stranger(1)]) };
    const log = scripted(race, race);
    assert.deepEqual(await handle(log, 2), { position: 6n, state: 4, changed: true });
    assert.equal(log.appends(), 3);
  });

  test('is refused when the fresh state says no', async () => {
    const log = scripted({ before: (racing) => racing.record([stranger(4)]) });
    await assert.rejects(handle(log, 2), { code: 'limit-exceeded' });
    assert.equal(log.events.length, 1);
  });

  test('is given up at the deadline', async () => {
    const log = scripted({ before: (racing) => racing.record([stranger(1)]) });
    await assert.rejects(handle(log, 2, over), RevisionConflict);
    assert.equal(log.appends(), 1);
  });
});

describe('an append without an answer', () => {
  test('that was recorded is found by its ids and not made again', async () => {
    const log = scripted({ after: lost });
    assert.deepEqual(await handle(log, 3), { position: 2n, state: 3, changed: true });
    assert.equal(log.appends(), 1);
  });

  test('that was recorded is no refusal to itself', async () => {
    const log = scripted({ after: lost });
    assert.deepEqual(await handle(log, 5), { position: 2n, state: 5, changed: true });
  });

  test('that was not recorded is made again', async () => {
    const log = scripted({
      before: () => {
        throw lost();
      },
    });
    assert.deepEqual(await handle(log, 3), { position: 2n, state: 3, changed: true });
    assert.equal(log.events.length, 1);
  });

  test('that lands only after the next read is found on the one after that', async () => {
    const mine: NewEvent = { ...stranger(3), id: 'command/Counted/0' };
    const log = scripted(
      {
        before: () => {
          throw lost();
        },
      },
      { before: (late) => late.record([mine, stranger(1)]) },
    );
    assert.deepEqual(await handle(log, 3), { position: 2n, state: 4, changed: true });
    assert.equal(log.events.length, 2);
  });

  test('gives the position of its own last event when others came after it', async () => {
    const log = scripted({ after: lost });
    const readStream = async () => {
      if (log.events.length === 1) log.record([stranger(1)]);
      return log.readStream();
    };
    const handled = await handlerOver({ ...log, readStream })('counter', 3, context, never);
    assert.deepEqual(handled, { position: 2n, state: 4, changed: true });
  });

  test('is left unknown at the deadline', async () => {
    await assert.rejects(handle(scripted({ after: lost }), 3, over), AppendUnknown);
  });
});

test('a log that cannot be reached is reported at once: nothing was sent', async () => {
  const log = scripted({
    before: () => {
      throw new LogUnavailable(new Error('refused'));
    },
  });
  await assert.rejects(handle(log, 3), LogUnavailable);
  assert.equal(log.appends(), 1);
});

describe('a log that cannot be reached after an append without an answer', () => {
  const unreachable = () => new LogUnavailable(new Error('refused'));

  test('is asked again until it tells', async () => {
    const log = scripted({ after: lost });
    let refusals = 3;
    const readStream = async () => {
      if (log.events.length > 0 && refusals-- > 0) throw unreachable();
      return log.readStream();
    };
    const handled = await handlerOver({ ...log, readStream })('counter', 3, context, never);
    assert.deepEqual(handled, { position: 2n, state: 3, changed: true });
    assert.equal(log.appends(), 1);
  });

  test('leaves it unknown at the deadline, never "nothing was appended"', async () => {
    const deadline = new AbortController();
    const log = scripted({ after: lost });
    const readStream = async () => {
      if (log.events.length === 0) return log.readStream();
      deadline.abort();
      throw unreachable();
    };
    await assert.rejects(
      handlerOver({ ...log, readStream })('counter', 3, context, deadline.signal),
      AppendUnknown,
    );
  });
});

describe('a command on a stream that this process left lately', () => {
  const following = (log: ReturnType<typeof scripted>) => {
    let reads = 0;
    const left = new Map<string, Left<number>>();
    const perform = commandHandler(counter, {
      log: {
        append: log.append,
        readStream: async () => {
          reads += 1;
          return log.readStream();
        },
      },
      eventId: (command, type, index) => `${command}/${type}/${index}`,
      schemaVersions: {},
      pause: async () => {},
      left,
    });
    return {
      reads: () => reads,
      perform: (by: number, commandId: string, deadline = never) =>
        perform('counter', by, { ...context, commandId }, deadline),
    };
  };

  test('reads nothing', async () => {
    const log = scripted();
    const { reads, perform } = following(log);
    await perform(1, 'first');
    assert.deepEqual(await perform(2, 'second'), { position: 4n, state: 3, changed: true });
    assert.deepEqual(await perform(2, 'third'), { position: 6n, state: 5, changed: true });
    assert.equal(reads(), 1);
    assert.deepEqual(
      log.events.map(({ data }) => data.by),
      [1, 2, 2],
    );
  });

  test('is decided again on what another has made of it', async () => {
    const log = scripted();
    const { reads, perform } = following(log);
    await perform(1, 'first');
    log.record([stranger(3)]);
    assert.deepEqual(await perform(1, 'second'), { position: 6n, state: 5, changed: true });
    assert.equal(reads(), 2);
    log.record([stranger(-5)]);
    assert.deepEqual(await perform(5, 'third'), { position: 10n, state: 5, changed: true });
    await assert.rejects(perform(1, 'fourth'), Refused);
  });

  test('says that nothing changes only of what was read', async () => {
    const log = scripted();
    const { perform } = following(log);
    await perform(1, 'first');
    log.record([stranger(3)]);
    assert.deepEqual(await perform(0, 'second'), { position: 4n, state: 4, changed: false });
  });

  test('finds itself when the answer to it was lost, and goes on when it was not taken', async () => {
    const taken = scripted({}, { after: lost });
    const first = following(taken);
    await first.perform(1, 'first');
    assert.deepEqual(await first.perform(2, 'second'), { position: 4n, state: 3, changed: true });
    assert.equal(taken.events.length, 2);
    const log = scripted({}, { before: () => assert.fail('away') });
    const second = following(log);
    await second.perform(1, 'first');
    await assert.rejects(second.perform(2, 'second'), /away/);
    assert.deepEqual(await second.perform(2, 'third'), { position: 4n, state: 3, changed: true });
    assert.equal(second.reads(), 2);
  });

  test('is unknown when its deadline is over before anybody can look', async () => {
    const { perform } = following(scripted({}, { after: lost }));
    await perform(1, 'first');
    await assert.rejects(perform(2, 'second', over), AppendUnknown);
  });
});
