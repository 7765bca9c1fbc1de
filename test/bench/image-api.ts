import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { pieces } from './bytes.ts';
import { type Callers, removeAll, slots } from './catalogue.ts';
import { drained, type Sender } from './load.ts';
import { atRest } from './rest.ts';
import { isWanted, newRound, type RoundFigures } from './round.ts';

/** Something that answers the Image API v2, with a catalogue in it. */
export interface Endpoint {
  readonly callers: Callers;
  /** Of the catalogue. */
  readonly ids: readonly string[];
  /** Server processes whose time and memory count, with all that descend from them. */
  readonly pids: readonly number[];
}

export interface Work {
  /** In the catalogue. */
  readonly images: number;
  /** Each phase takes this long at least, after a third of it that does not count. */
  readonly ms: number;
  /** At least so many requests, 16 at once; a quarter of it of listings and of what is asked alone. */
  readonly requests: number;
  /** Images of 10 MiB. */
  readonly uploads: number;
  /** Bytes of the large image. */
  readonly large: number;
  /** Phases whose names begin with one of these; all where there is none. */
  readonly only: readonly string[];
}

type Round = ReturnType<typeof newRound>;

const mebibyte = 1024 ** 2;
const json = { 'Content-Type': 'application/json' };
const patch = { 'Content-Type': 'application/openstack-images-v2.1-json-patch' };
const weighingMs = 1_000;
/** A prime, so that neighbours in time are none in the catalogue. */
const stride = 7919;

let questions = 0;
/** True of every image, and another one each time: nobody can have the answer yet. */
const newQuestion = (): string => {
  const year = new Date(Date.UTC(2100, 0, 1) + questions++ * 1000);
  return `&created_at=lt:${year.toISOString().slice(0, 19)}Z`;
};
const slotOf = (turn: number): string => `&seed_slot=${(turn * stride) % slots}`;

/** What is asked of a listing besides the 25. */
export const listings: Readonly<Record<string, (turn: number) => string>> = {
  'list of 25': () => '',
  'list of 25, never asked before': newQuestion,
  'list by property': slotOf,
  'list by property, the same': () => slotOf(7),
  'list by property, never asked before': (turn) => slotOf(turn) + newQuestion(),
};

/** One round; what it makes it deletes. Throws when an answer is not the expected one. */
export async function measureImageApi(endpoint: Endpoint, work: Work): Promise<RoundFigures> {
  const { callers, pids } = endpoint;
  const made: string[] = [];
  const round = newRound(pids, work);
  await atRest(pids, work.ms / 3);
  await reads(round, endpoint, work);
  const removed = () => removeAll(callers.admin, made.splice(0));
  try {
    await changes(round, callers.admin, work, made);
    await removed();
    await bytes(round, callers.admin, work, made);
  } catch (error) {
    await removed().catch(() => {});
    throw error;
  }
  await removed();
  await atRest(pids, work.ms / 3);
  return round.figures();
}

async function reads(round: Round, { callers, ids }: Endpoint, work: Work): Promise<void> {
  await round.measure({
    ...{ name: 'show, 16 at once', concurrency: 16, count: work.requests },
    one: (turn) => callers.admin.ask(200, 'GET', `/v2/images/${ids[(turn * stride) % ids.length]}`),
  });
  const count = Math.ceil(work.requests / 4);
  for (const [what, queryOf] of Object.entries(listings))
    for (const who of ['member', 'admin'] as const)
      for (const [how, concurrency] of [
        ['alone', 1],
        ['16 at once', 16],
      ] as const)
        await round.measure({
          ...{ name: `${what}, ${who}, ${how}`, concurrency, count },
          one: (turn) => callers[who].ask(200, 'GET', `/v2/images?limit=25${queryOf(turn)}`),
        });
}

async function changes(round: Round, sender: Sender, work: Work, made: string[]): Promise<void> {
  const count = Math.ceil(work.requests / 4);
  const writes = true;
  const one = () => create(sender, made);
  await round.measure({ name: 'create alone', concurrency: 1, count, writes, one });
  if (isWanted(work.only, 'patch alone')) while (made.length < count) await one();
  await round.measure({
    ...{ name: 'patch alone', concurrency: 1, count, writes },
    async one(turn) {
      const added = [{ op: 'add', path: `/bench_${turn}`, value: 'yes' }];
      const path = `/v2/images/${made[turn % made.length]}`;
      await sender.ask(200, 'PATCH', path, JSON.stringify(added), patch);
    },
  });
  const rate = { name: 'create, 16 at once', concurrency: 16, count: work.requests };
  await round.measure({ ...rate, writes, one });
}

async function bytes(round: Round, sender: Sender, work: Work, made: string[]): Promise<void> {
  const writes = true;
  const weighing = setInterval(round.weigh, weighingMs);
  try {
    await round.measure({
      ...{ name: '10 MiB until active, 8 at once', concurrency: 8, warm: 8, count: work.uploads },
      ...{ writes, one: () => upload(sender, 10 * mebibyte, made) },
    });
    await removeAll(sender, made.splice(0));
    let large: string | undefined;
    const fill = async (): Promise<void> => {
      large = await upload(sender, work.large, made);
    };
    const alone = { concurrency: 1, count: 1 };
    await round.measure({ name: 'large upload until active', ...alone, writes, one: fill });
    if (!isWanted(work.only, 'large download')) return;
    if (large === undefined) await fill();
    await round.measure({
      ...{ name: 'large download', ...alone },
      async one() {
        const size = await sender.download(`/v2/images/${large}/file`);
        if (size !== work.large) throw new Error(`${size} bytes came of ${work.large}`);
      },
    });
  } finally {
    clearInterval(weighing);
  }
}

async function create(sender: Sender, made: string[]): Promise<string> {
  const image = {
    ...{ name: `bench-${made.length}`, disk_format: 'raw', container_format: 'bare' },
    ...{ hw_disk_bus: 'virtio', os_distro: 'debian', bench_slot: '7', tags: ['bench'] },
  };
  const answer = await sender.ask(201, 'POST', '/v2/images', JSON.stringify(image), json);
  const { id } = JSON.parse(answer.toString());
  made.push(id);
  return id;
}

/** Resolves when the image is active. */
async function upload(sender: Sender, size: number, made: string[]): Promise<string> {
  const id = await create(sender, made);
  const body = async (sink: NodeJS.WritableStream): Promise<void> => {
    for (const piece of pieces(size)) if (!sink.write(piece)) await once(sink, 'drain');
  };
  const type = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) };
  await drained(await sender.send(204, 'PUT', `/v2/images/${id}/file`, body, type));
  for (;;) {
    const { status } = JSON.parse((await sender.ask(200, 'GET', `/v2/images/${id}`)).toString());
    if (status === 'active') return id;
    await delay(2);
  }
}
