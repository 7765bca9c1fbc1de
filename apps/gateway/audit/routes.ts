import { type AuditAccess, proofNotAllowed } from '../../../domain/audit/access.ts';
import { tileWidth } from '../../../domain/audit/tiles.ts';
import type { EventLog, RecordedEvent } from '../../../domain/event-log.ts';
import type { Access, Caller } from '../../../domain/image/access.ts';
import { type BundlePorts, imageBundle } from '../../../infra/audit/bundle.ts';
import { eventsBetween } from '../../../infra/audit/live-events.ts';
import type { AuditMemory, SignedHead } from '../../../infra/audit/memory.ts';
import { type Proofs, TreeIncomplete } from '../../../infra/audit/proofs.ts';
import { entryText } from '../../../infra/audit/sha256.ts';
import type { TreeStore } from '../../../infra/audit/tree-store.ts';
import type { Images } from '../../../projections/images/images.ts';
import { expectNoBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import { unknownImage } from '../commands.ts';
import { HttpError } from '../http-error.ts';
import { imageIdOf } from '../routes/image-id.ts';
import { type GatewayRouter, parameter } from '../routes/routes.ts';
import { lastOf, parametersOf } from '../wire/query-string.ts';
import { isWholeFor, ownTime } from './own-time.ts';
import { answerImmutable, EntryDiffers, entryBundle, tileAsked, tileBytes } from './tiles.ts';

export interface AuditPorts {
  /** As it is stored: no event may be lifted to a newer shape. */
  readonly log: Pick<EventLog, 'readAll' | 'readStream'>;
  readonly store: TreeStore;
  readonly proofs: Proofs;
  readonly memory: Pick<AuditMemory, 'newest' | 'at' | 'keys' | 'raise'>;
  readonly access: AuditAccess;
}

export interface AuditRoutePorts extends AuditPorts {
  readonly images: Pick<Images, 'show'>;
  readonly imageAccess: Access;
}

const base = '/audit/v1';
const noSuchEvent = (): HttpError =>
  new HttpError(404, 'There is no event at this position that was signed.');

/** The audit tree as C2SP's tlog-tiles has it, and proofs for those who do not want to read tiles. */
export function auditRoutes(router: GatewayRouter, ports: AuditRoutePorts): void {
  const { log, store, proofs, memory, access, images, imageAccess } = ports;

  const newest = async (): Promise<SignedHead> => {
    const head = await memory.newest();
    if (head === undefined) throw new HttpError(404, 'Nothing has been signed yet.');
    return head;
  };

  /** 503 while the tree is made again, 500 and an alarm where the log differs from it. */
  const answered = async (answer: () => Promise<void>): Promise<void> => {
    try {
      await answer();
    } catch (error) {
      if (error instanceof EntryDiffers) await memory.raise(error.message);
      if (!(error instanceof TreeIncomplete)) throw error;
      const headers = { 'Retry-After': '5' };
      throw new HttpError(503, 'The audit tree is being made again.', { headers, cause: error });
    }
  };

  const answerNote = (ctx: GatewayContext, note: string): void => {
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Content-Type', 'text/plain; charset=utf-8');
    ctx.body = note;
  };

  router.get(`${base}/checkpoint`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHashes(ctx.call.caller);
    answerNote(ctx, (await newest()).note);
  });

  router.get(`${base}/checkpoint/:size`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHashes(ctx.call.caller);
    const head = await memory.at(sizeFrom('size', parameter(ctx, 'size')));
    if (head === undefined) throw new HttpError(404, 'No checkpoint of that size is kept.');
    answerNote(ctx, head.note);
  });

  router.get(`${base}/keys`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHashes(ctx.call.caller);
    ctx.body = {
      keys: (await memory.keys()).map(({ verifierKey, fromSize, handOver, since }) => ({
        key: verifierKey,
        from_size: fromSize,
        since: since.toISOString(),
        hand_over: handOver,
      })),
    };
  });

  router.get(`${base}/tile/entries/*path`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeEntries(ctx.call.caller);
    const { size } = await newest();
    const asked = tileAsked('0', parameter(ctx, 'path'), size);
    await answered(async () =>
      answerImmutable(ctx, await entryBundle({ log, store }, asked), { isText: true }),
    );
  });

  router.get(`${base}/tile/:level/*path`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHashes(ctx.call.caller);
    const { size } = await newest();
    const asked = tileAsked(parameter(ctx, 'level'), parameter(ctx, 'path'), size);
    await answered(async () =>
      answerImmutable(ctx, await tileBytes(store, asked), { isText: false }),
    );
  });

  router.get(`${base}/proofs/consistency`, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHashes(ctx.call.caller);
    const parameters = parametersOf(ctx.querystring);
    const head = await newest();
    const to = sizeFrom('to', lastOf(parameters, 'to') ?? String(head.size));
    const from = sizeFrom('from', lastOf(parameters, 'from') ?? '0');
    if (to > head.size || from > to)
      throw new HttpError(400, `from and to are sizes up to ${head.size}, from the smaller one.`);
    await answered(async () => {
      ctx.body = {
        from,
        to,
        from_root: base64(await proofs.root(from)),
        to_root: base64(await proofs.root(to)),
        proof: (await proofs.consistency(from, to)).map(base64),
      };
    });
  });

  /** Whose events these are: all of them for auditors, else those of the caller's own time with the image. */
  const shownTo = (caller: Caller, events: readonly RecordedEvent[]) => {
    if (access.seesAll(caller)) return { isThere: events.length > 0, isWithheld: () => false };
    const own = ownTime(events, caller.projectId);
    return {
      isThere: own.size > 0,
      isWithheld: (event: RecordedEvent) =>
        !own.has(event.position) || !isWholeFor(event, caller, imageAccess),
    };
  };

  router.get(`${base}/proofs/images/:imageId`, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const imageId = imageIdOf(ctx);
    const { events } = await log.readStream(`image-${imageId}`);
    const { isThere, isWithheld } = shownTo(caller, events);
    if (!isThere) {
      const record = await images.show(imageId);
      const isSeen = record !== undefined && imageAccess.allows('get_image', record, caller);
      if (isSeen) throw proofNotAllowed('get_audit_proof');
      throw unknownImage(imageId, events.length > 0 ? 'get_audit_proof' : undefined);
    }
    if (!access.seesAll(caller) && !access.allowsOwnProof(caller))
      throw proofNotAllowed('get_audit_proof');
    const head = await newest();
    const bundlePorts: BundlePorts = { log, store, proofs, memory };
    await answered(async () => {
      let text = '';
      for await (const line of imageBundle(bundlePorts, head, imageId, { isWithheld }))
        text += `${line}\n`;
      ctx.set('Content-Type', 'application/x-ndjson');
      ctx.body = text;
    });
  });

  router.get(`${base}/proofs/events/:position`, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const text = parameter(ctx, 'position');
    if (!/^\d{1,18}$/.test(text)) throw new HttpError(400, 'A position is a decimal number.');
    const position = BigInt(text);
    const head = await newest();
    const [index] = position <= head.position ? await store.indexesOf([position]) : [];
    const event = index === undefined ? undefined : await eventAt(ports, index, position);
    if (index === undefined || event === undefined) throw noSuchEvent();
    if (!access.seesAll(caller)) {
      const { events } = await log.readStream(event.streamId);
      const { isThere, isWithheld } = shownTo(caller, events);
      const isImage = event.streamId.startsWith('image-');
      if (!isImage || !isThere || isWithheld(event) || !access.allowsOwnProof(caller))
        throw noSuchEvent();
    }
    await answered(async () => {
      const proof = (await proofs.inclusion(index, head.size)).map(base64);
      if (ctx.accepts('application/json', 'text/plain') === 'text/plain') {
        const lines = ['c2sp.org/tlog-proof@v1', `index ${index}`, ...proof, '', head.note];
        answerNote(ctx, lines.join('\n'));
        return;
      }
      const { note: checkpoint } = head;
      ctx.body = { position: text, index, entry: entryText(event), proof, checkpoint };
    });
  });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function sizeFrom(name: string, given: string): number {
  if (/^(0|[1-9]\d{0,14})$/.test(given)) return Number(given);
  throw new HttpError(400, `${name} must be the size of a tree, a whole number.`);
}

/** What the log has at a position now, read from the event before it. */
async function eventAt(
  { log, store }: Pick<AuditPorts, 'log' | 'store'>,
  index: number,
  position: bigint,
): Promise<RecordedEvent | undefined> {
  const before =
    index === 0 ? undefined : await store.leafTile(Math.floor((index - 1) / tileWidth));
  const after = before?.positions[(index - 1) % tileWidth] ?? 0n;
  for await (const event of eventsBetween(log, after, position))
    if (event.position === position) return event;
  return undefined;
}
