import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Api, SlowBody } from './api.ts';
import type { Chance } from './chance.ts';
import { contentOf } from './content.ts';
import { facet } from './facet.ts';
import { isCertain, type KnownImage, type Oracle, type Shown } from './oracle.ts';
import { count, problemsOf, type Tally } from './tally.ts';

export interface LoadOptions {
  readonly api: Api;
  readonly oracle: Oracle;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly clients: number;
}

export interface Load {
  /** Lets clients finish what they have in hand; resolves when nobody has anything. */
  pause(): Promise<void>;
  /** After everything has been looked at: nothing is uncertain now. */
  resume(): void;
  /** Uploads whose answer is awaited. */
  uploading(): number;
}

const mostImages = 8;
const sizes = [0, 1, 4096, 100_000, 1_048_577, 3_000_000, 7_340_032];
const tagNames = ['red', 'green', 'blue'];
const pauseWhenUnavailableMs = 50;
/** Its gateway was taken for dead: the image is queued again. */
const givenUp = 410;

/** Clients that create, upload, change and delete, each its own images, and tell the oracle every answer. */
export function startLoad({ clients, chance, ...rest }: LoadOptions): Load {
  const busy = new Set<Promise<void>>();
  const resting = new Set<KnownImage>();
  let paused = true;
  let uploading = 0;
  const steps = Array.from({ length: clients }, (_, index) =>
    clientOf({ ...rest, chance: chance.fork(`client ${index}`) }, resting, (change) => {
      uploading += change;
    }),
  );
  const loop = async (step: () => Promise<void>): Promise<void> => {
    try {
      while (!paused) await step();
    } catch (error) {
      const what = `a client failed: ${error instanceof Error ? error.stack : error}`;
      rest.tally.problems.push({ kind: 'answer', what });
    }
  };
  const load: Load = {
    uploading: () => uploading,
    async pause() {
      paused = true;
      await Promise.all(busy);
    },
    resume() {
      paused = false;
      resting.clear();
      for (const step of steps) {
        const running = loop(step);
        busy.add(running);
        void running.then(() => busy.delete(running));
      }
    },
  };
  load.resume();
  return load;
}

/**
 * One client's next request, or upload with what goes on beside it. Nobody touches images that rest before somebody has
 * looked: what happens to them is not over.
 */
function clientOf(
  { api, oracle, chance, tally }: Omit<LoadOptions, 'clients'>,
  resting: Set<KnownImage>,
  uploads: (change: 1 | -1) => void,
): () => Promise<void> {
  const mine: KnownImage[] = [];
  let revision = 0;

  /** What a request came to: `done`, `not`, or `maybe` when nobody can know. Anything unforeseen is a problem. */
  const sent = async (
    kind: string,
    success: number,
    request: Promise<Answer>,
    foreseen: readonly number[] = [],
  ): Promise<'done' | 'not' | 'maybe'> => {
    tally.sent += 1;
    const answer = await request;
    if (answer.kind === 'unsent' || (answer.kind === 'answered' && answer.status === 503)) {
      tally.unavailable += 1;
      await delay(pauseWhenUnavailableMs);
      return 'not';
    }
    if (answer.kind === 'unknown' || answer.status === 504) {
      tally.unanswered += 1;
      return 'maybe';
    }
    if (answer.status === success) {
      count(tally.acknowledged, kind);
      return 'done';
    }
    if (foreseen.includes(answer.status)) return 'not';
    const what = `${kind} was answered ${answer.status}: ${answer.body}`;
    tally.problems.push({ kind: 'answer', what });
    return 'maybe';
  };

  const become = <T>(
    what: { became(value: T): void; mayHaveBecome(value: T): void },
    outcome: 'done' | 'not' | 'maybe',
    value: T,
  ): void => {
    if (outcome === 'done') what.became(value);
    if (outcome === 'maybe') what.mayHaveBecome(value);
  };

  const create = async (): Promise<void> => {
    const id = chance.uuid();
    const name = `${id.slice(0, 4)}-${revision}`;
    const image = oracle.learn(id, name);
    const body = { id, name, rev: name, disk_format: 'raw', container_format: 'bare' };
    become(image.life, await sent('create', 201, api.json('POST', '/v2/images', body)), 'queued');
    mine.push(image);
  };

  const patch = async (image: KnownImage): Promise<void> => {
    revision += 1;
    const value = `${image.id.slice(0, 4)}-${revision}`;
    const operations = [
      { op: 'replace', path: '/name', value },
      { op: 'add', path: '/rev', value },
    ];
    const request = api.json('PATCH', `/v2/images/${image.id}`, operations);
    become(image.name, await sent('patch', 200, request), value);
  };

  const tag = async (image: KnownImage): Promise<void> => {
    const name = chance.pick(tagNames);
    const known = image.tags.get(name) ?? facet(false);
    image.tags.set(name, known);
    if (!known.certain) return;
    const there = known.possible.includes(true);
    const path = `/v2/images/${image.id}/tags/${name}`;
    const outcome = there
      ? await sent('untag', 204, api.json('DELETE', path))
      : await sent('tag', 204, api.json('PUT', path));
    become(known, outcome, !there);
  };

  const act = async (image: KnownImage): Promise<void> => {
    const [status, contentId] = String(image.life.possible[0]).split(' ');
    const [action, next] =
      status === 'active' ? ['deactivate', 'deactivated'] : ['reactivate', 'active'];
    const request = api.json('POST', `/v2/images/${image.id}/actions/${action}`);
    become(image.life, await sent(action, 204, request), `${next} ${contentId}` as never);
  };

  const remove = async (image: KnownImage): Promise<'done' | 'not' | 'maybe'> => {
    const outcome = await sent('delete', 204, api.json('DELETE', `/v2/images/${image.id}`));
    become(image.life, outcome, 'unseen');
    return outcome;
  };

  const upload = async (image: KnownImage): Promise<void> => {
    const content = contentOf(chance.uuid(), chance.pick(sizes));
    oracle.keep(content);
    const body = {
      bytes: content.bytes(),
      chunked: chance.percent(50),
      pieces: 1 + chance.int(8),
      pauseMs: chance.int(80),
    };
    const imports = chance.percent(25);
    uploads(1);
    if (content.size > 0 && chance.percent(12)) await hangUp(image, body);
    else if (imports) await stageAndImport(image, content.id, body);
    else await finish(image, content.id, body);
    uploads(-1);
  };

  /** An import that was accepted is never forgotten. It rests then: it ends when it ends. */
  const stageAndImport = async (
    image: KnownImage,
    contentId: string,
    body: SlowBody,
  ): Promise<void> => {
    resting.add(image);
    const staged = await sent('stage', 204, api.stage(image.id, body), [givenUp]);
    if (staged === 'not' || !(await importStaged(image.id))) return;
    count(tally.acknowledged, 'import');
    image.life.became(`active ${contentId}`);
  };

  /** Asks until it is clear: true when the import was accepted, false when nothing is staged. */
  const importStaged = async (imageId: string): Promise<boolean> => {
    for (;;) {
      const method = { name: 'glance-direct' };
      const asked = await api.json('POST', `/v2/images/${imageId}/import`, { method });
      if (asked.kind === 'answered' && asked.status === 202) return true;
      const shown = await api.json('GET', `/v2/images/${imageId}`);
      if (shown.kind === 'answered' && shown.status === 200) {
        const { status } = JSON.parse(String(shown.body)) as Shown;
        if (status !== 'uploading') return status !== 'queued';
      }
      await delay(pauseWhenUnavailableMs);
    }
  };

  /** Bytes that never came whole are never an image: it is queued again, as soon as the service has noticed. */
  const hangUp = async (image: KnownImage, body: SlowBody): Promise<void> => {
    const hanging = api.upload(image.id, { ...body, hangUpAfter: chance.int(body.bytes.length) });
    await Promise.all([hanging, changeBeside(image)]);
    tally.hungUp += 1;
    resting.add(image);
  };

  const finish = async (image: KnownImage, contentId: string, body: SlowBody): Promise<void> => {
    const removes = chance.percent(8);
    const [outcome, removed] = await Promise.all([
      sent('upload', 204, api.upload(image.id, body), removes ? [410, 404, 409] : [givenUp]),
      removes ? removeBeside(image) : changeBeside(image),
    ]);
    if (removed === 'done') return;
    become(image.life, outcome, `active ${contentId}`);
    if (removed === 'maybe') image.life.mayHaveBecome('unseen');
    if (outcome === 'not') resting.add(image);
  };

  const changeBeside = async (image: KnownImage): Promise<'not'> => {
    for (let left = chance.int(4); left > 0; left--) {
      if (chance.percent(50)) await tag(image);
      else if (image.name.certain) await patch(image);
      await delay(chance.int(40));
    }
    return 'not';
  };

  const removeBeside = async (image: KnownImage): Promise<'done' | 'not' | 'maybe'> => {
    await delay(chance.int(150));
    return remove(image);
  };

  /** A success is visible to the very next request. */
  const look = async (image: KnownImage): Promise<void> => {
    const answer = await api.json('GET', `/v2/images/${image.id}`);
    if (answer.kind !== 'answered' || answer.status >= 500) return;
    const shown = answer.status === 200 ? (JSON.parse(String(answer.body)) as Shown) : undefined;
    const lies = oracle.judge(image, shown).map((lie) => `right away, ${lie}`);
    tally.problems.push(...lies.map(problemsOf('lost')));
  };

  return async () => {
    const known = mine.filter((image) => isCertain(image) && !resting.has(image));
    const there = known.filter(({ life }) => !life.possible.includes('unseen'));
    const queued = there.filter(({ life }) => life.possible.includes('queued'));
    const whole = there.filter((image) => !queued.includes(image));
    const any = there.length > 0 ? 1 : 0;
    const what = chance.weighted({
      create: there.length < mostImages ? 4 : 0,
      upload: queued.length > 0 ? 8 : 0,
      patch: any * 2,
      tag: any * 2,
      act: whole.length > 0 ? 2 : 0,
      remove: there.length === mostImages ? 6 : any * 0.5,
      wait: mine.length > 0 ? 0.2 : 0,
    });
    if (what === 'wait') return delay(20);
    if (what === 'create') return create();
    if (what === 'upload') return upload(chance.pick(queued));
    const image = chance.pick(what === 'act' ? whole : there);
    if (what === 'patch') await patch(image);
    if (what === 'tag') await tag(image);
    if (what === 'act') await act(image);
    if (what === 'remove') await remove(image);
    if (isCertain(image) && chance.percent(25)) await look(image);
  };
}
