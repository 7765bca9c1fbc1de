import { randomUUID } from 'node:crypto';
import type { NewEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { silent } from '../support/silent-log.ts';
import { atConcurrency, type Sender } from './load.ts';
import { asNew } from './log.ts';

const distros = ['debian', 'ubuntu', 'rocky', 'fedora'] as const;
/** Of `seed_slot`. */
export const slots = 100;
const seeders = 16;
const loggers = 512;
const patienceMs = 1_800_000;
const json = { 'Content-Type': 'application/json' };

/** Asks as somebody. */
export interface Callers {
  readonly admin: Sender;
  readonly member: Sender;
}

/** What images of a catalogue are like, 1, 2, 3 …: each like the others, none the same. */
const imageOf = (number: number) =>
  ({
    name: `seed-${String(number).padStart(6, '0')}`,
    visibility: number % 20 === 0 ? 'public' : 'shared',
    minDisk: number % 40,
    minRam: 512 * (number % 8),
    tags: ['seed', `seed-tag-${number % 20}`],
    properties: {
      seed_slot: String(number % slots),
      os_distro: distros[number % distros.length] ?? '',
      os_version: String(1 + (number % 30)),
      build: `build-${number}`,
      os_type: 'linux',
      architecture: 'x86_64',
      hw_disk_bus: 'virtio',
      hw_vif_model: 'virtio',
    },
  }) as const;

/** Creates them, the member's own but for the public ones, which are an administrator's; gives their ids. */
export async function seedThroughApi(callers: Callers, count: number): Promise<string[]> {
  const ids: string[] = [];
  await atConcurrency(seeders, count, async (index) => {
    const { name, visibility, minDisk, minRam, tags, properties } = imageOf(index + 1);
    const image = {
      ...{ name, visibility, tags, min_disk: minDisk, min_ram: minRam },
      ...{ disk_format: 'qcow2', container_format: 'bare', ...properties },
    };
    const { ask } = visibility === 'public' ? callers.admin : callers.member;
    const answer = await ask(201, 'POST', '/v2/images', JSON.stringify(image), json);
    ids.push(JSON.parse(answer.toString()).id);
  });
  return ids;
}

/** Those that are there already, by their tag. */
export async function seededThere({ admin }: Callers): Promise<string[]> {
  const ids: string[] = [];
  for (let next: string | undefined = '/v2/images?limit=1000&tag=seed'; next !== undefined; ) {
    const answer: { next?: string; images: { id: string }[] } = JSON.parse(
      (await admin.ask(200, 'GET', next)).toString(),
    );
    ids.push(...answer.images.map(({ id }) => id));
    next = answer.next;
  }
  return ids;
}

export const removeAll = ({ ask }: Sender, ids: readonly string[]) =>
  atConcurrency(seeders, ids.length, (index) => ask(204, 'DELETE', `/v2/images/${ids[index]}`));

/**
 * The same as facts in the log, past the API: active, their bytes at a URL that nobody asks. Resolves when the log has
 * them.
 */
export async function seedThroughLog(
  postgresUrl: string,
  { owner, count }: { readonly owner: string; readonly count: number },
): Promise<string[]> {
  const log = await openEventLog(postgresUrl, { log: silent, upcast });
  const ids: string[] = [];
  try {
    await atConcurrency(loggers, count, async (index) => {
      const id = randomUUID();
      await log.append(`image-${id}`, lifeOf(index + 1, owner), -1);
      ids.push(id);
    });
    return ids;
  } finally {
    await log.close();
  }
}

/** Resolves when one read model, or without a name every one that is kept, has all that is in the log. */
export async function caughtUp(postgresUrl: string, model?: string): Promise<void> {
  const log = await openEventLog(postgresUrl, { log: silent, upcast });
  const pool = postgresPool(postgresUrl, { log: silent, max: 2 });
  const kept = `select model from read_model.generation where state = 'live'`;
  const { rows } = await pool.query<{ model: string }>(kept);
  const models = model === undefined ? rows.map((row) => row.model) : [model];
  const shown = visible(pool, postgresUrl, { log: silent, models });
  try {
    await shown.waitFor(await log.head(), patienceMs);
  } finally {
    await shown.close();
    await log.close();
    await pool.end();
  }
}

/** As autovacuum does some time after as much was written. */
export async function vacuumed(postgresUrl: string): Promise<void> {
  const pool = postgresPool(postgresUrl, { log: silent, max: 1 });
  await pool.query('vacuum (analyze)').finally(() => pool.end());
}

function lifeOf(number: number, owner: string): readonly NewEvent[] {
  const created: Attributes = {
    ...{ owner, protected: false, hidden: false, diskFormat: 'qcow2', containerFormat: 'bare' },
    ...imageOf(number),
  };
  const hex = number.toString(16).padStart(32, '0');
  const facts: readonly ImageEvent[] = [
    { type: 'ImageCreated', data: created },
    {
      type: 'LocationAdded',
      data: {
        ...{ locationId: randomUUID(), store: 'web', metadata: {}, size: 1_048_576 + number },
        url: `http://seeds.invalid/${number}`,
        digests: { md5: hex, sha512: hex.repeat(4) },
        algorithm: 'sha512',
      },
    },
  ];
  return facts.map(asNew);
}
