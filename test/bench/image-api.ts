import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { pieces } from './bytes.ts';
import { type Usage, usageOf } from './cpu.ts';
import { atConcurrency, drained, percentiles, type Rate, sender, textOf } from './load.ts';

/** Something that answers the Image API v2. */
export interface Endpoint {
  readonly url: string;
  /** Sent with each request; none where nobody asks for one. */
  readonly token?: string;
  /** Server processes whose time counts, with all that descend from them. */
  readonly pids: readonly number[];
}

export interface Work {
  /** In the catalogue while it is listed. */
  readonly images: number;
  readonly requests: number;
  /** Images of 10 MiB. */
  readonly uploads: number;
  /** Bytes of the large image. */
  readonly large: number;
}

export interface PhaseFigures extends Rate {
  /** Of the server, for each request; undefined where its processes are not known. */
  readonly cpuMs?: number;
  readonly memoryMiB?: number;
}

export type Phase =
  | 'create, 16 at once'
  | 'create alone'
  | 'show, 16 at once'
  | 'list of 25, 16 at once'
  | 'list of 25 alone'
  | 'list by property, 16 at once'
  | 'patch alone'
  | '10 MiB until active, 8 at once'
  | 'large upload until active'
  | 'large download';

const mebibyte = 1024 ** 2;
const json = { 'Content-Type': 'application/json' };
const patch = { 'Content-Type': 'application/openstack-images-v2.1-json-patch' };

/** One round over an endpoint; what it makes it deletes. Throws when an answer is not the expected one. */
export async function measureImageApi(
  { url, token, pids }: Endpoint,
  work: Work,
): Promise<ReadonlyMap<Phase, PhaseFigures>> {
  const headers: Record<string, string> = token === undefined ? {} : { 'X-Auth-Token': token };
  const { send, close } = sender(url, 16, headers);
  const ids: string[] = [];
  const figures = new Map<Phase, PhaseFigures>();

  const phase = async (
    name: Phase,
    concurrency: number,
    count: number,
    one: (index: number) => Promise<unknown>,
  ): Promise<void> => {
    const before: Usage | undefined = pids.length > 0 ? usageOf(pids) : undefined;
    const rate = await atConcurrency(concurrency, count, one);
    const after = usageOf(pids);
    const used =
      before === undefined
        ? {}
        : { cpuMs: (after.cpuMs - before.cpuMs) / count, memoryMiB: after.memoryMiB };
    figures.set(name, { ...rate, ...used });
  };

  const create = async (index: number): Promise<string> => {
    const image = {
      ...{ name: `bench-${index}`, disk_format: 'raw', container_format: 'bare' },
      ...{ hw_disk_bus: 'virtio', bench_slot: String(index % 500), tags: ['bench'] },
    };
    const { id } = JSON.parse(
      await textOf(await send(201, 'POST', '/v2/images', JSON.stringify(image), json)),
    );
    ids.push(id);
    return id;
  };
  const get = async (path: string) => drained(await send(200, 'GET', path));
  const any = (index: number) => ids[(index * 7919) % ids.length];

  const upload = async (size: number): Promise<string> => {
    const id = await create(0);
    const body = async (sink: NodeJS.WritableStream): Promise<void> => {
      for (const piece of pieces(size)) if (!sink.write(piece)) await once(sink, 'drain');
    };
    const type = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) };
    await drained(await send(204, 'PUT', `/v2/images/${id}/file`, body, type));
    for (;;) {
      const answer = await textOf(await send(200, 'GET', `/v2/images/${id}`));
      if (JSON.parse(answer).status === 'active') return id;
      await delay(2);
    }
  };

  try {
    await atConcurrency(16, 32, () => get('/v2/images?limit=1'));
    await phase('create, 16 at once', 16, work.requests, create);
    await phase('create alone', 1, Math.ceil(work.requests / 4), create);
    await atConcurrency(16, Math.max(0, work.images - ids.length), create);
    await phase('show, 16 at once', 16, 4 * work.requests, (index) =>
      get(`/v2/images/${any(index)}`),
    );
    const list = () => get('/v2/images?limit=25');
    await phase('list of 25, 16 at once', 16, work.requests, list);
    await phase('list of 25 alone', 1, Math.ceil(work.requests / 4), list);
    await phase('list by property, 16 at once', 16, work.requests, (index) =>
      get(`/v2/images?limit=25&bench_slot=${index % 500}`),
    );
    await phase('patch alone', 1, Math.ceil(work.requests / 4), async (index) => {
      const change = [{ op: 'add', path: `/bench_${index}`, value: 'yes' }];
      const body = JSON.stringify(change);
      return drained(await send(200, 'PATCH', `/v2/images/${any(index)}`, body, patch));
    });
    await phase('10 MiB until active, 8 at once', 8, work.uploads, () => upload(10 * mebibyte));
    let large = '';
    await phase('large upload until active', 1, 1, async () => {
      large = await upload(work.large);
    });
    await phase('large download', 1, 1, async () => {
      const bytes = await get(`/v2/images/${large}/file`);
      if (bytes !== work.large) throw new Error(`${bytes} bytes came of ${work.large}`);
    });
    return figures;
  } finally {
    await atConcurrency(16, ids.length, async (index) =>
      drained(await send(204, 'DELETE', `/v2/images/${ids[index]}`)),
    );
    close();
  }
}

/** Figure by figure the median of several rounds. */
export function medians(
  rounds: readonly ReadonlyMap<Phase, PhaseFigures>[],
): ReadonlyMap<Phase, PhaseFigures> {
  const middle = (values: readonly number[]): number => percentiles(values).p50Ms;
  const [first = new Map<Phase, PhaseFigures>()] = rounds;
  return new Map(
    [...first].map(([phase, figures]) => {
      const all = rounds.flatMap((round) => round.get(phase) ?? []);
      const names = Object.keys(figures) as (keyof PhaseFigures)[];
      return [
        phase,
        Object.fromEntries(
          names.map((name) => [name, middle(all.map((one) => one[name] ?? 0))]),
        ) as unknown as PhaseFigures,
      ];
    }),
  );
}
