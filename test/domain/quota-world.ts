import assert from 'node:assert/strict';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { QuotaEvent, Reservation } from '../../domain/quota/events.ts';
import { outcomeOf } from '../../domain/quota/outcome.ts';
import {
  countedKey,
  doubtsOf,
  type Ledger,
  noneOpen,
  type QuotaCommand,
  quota,
  type Request,
} from '../../domain/quota/quota.ts';
import {
  type Amounts,
  type Resource,
  resources,
  type Usage,
} from '../../domain/quota/resources.ts';
import { Refused } from '../../domain/refused.ts';

export type Work =
  | { readonly kind: 'create' }
  | {
      readonly kind: 'upload';
      readonly declared: boolean;
      readonly chunks: readonly number[];
      readonly fails: boolean;
    }
  | { readonly kind: 'delete'; readonly pick: number };

type Step = Generator<undefined, void, undefined>;

interface Actor {
  readonly owner: string;
  readonly steps: Step;
  state: 'running' | 'dead' | 'ended';
}

/** A log, a read model that lags, and actors whose code stops at every `yield`. */
export class QuotaWorld {
  readonly limits: Required<Pick<Amounts, 'images' | 'bytes' | 'uploads'>>;
  refusals = 0;
  successes = 0;
  private readonly all: { readonly stream: string; readonly event: RecordedEvent }[] = [];
  private readonly actors: Actor[] = [];
  private lag = 0;
  private ids = 0;

  constructor(limits: QuotaWorld['limits']) {
    this.limits = limits;
  }

  begin(work: Work): void {
    const owner = `gateway-${this.actors.length}`;
    const steps = {
      create: () => this.create(owner),
      upload: () => this.upload(owner, work as Work & { kind: 'upload' }),
      delete: () => this.delete((work as Work & { kind: 'delete' }).pick),
    }[work.kind]();
    this.actors.push({ owner, steps, state: 'running' });
  }

  turn(who: number, dies: boolean, lag: number): void {
    this.lag = lag;
    const running = this.actors.filter(({ state }) => state === 'running');
    const actor = running[who % running.length];
    if (actor === undefined) return;
    if (dies) actor.state = 'dead';
    else if (actor.steps.next().done) actor.state = 'ended';
  }

  /** What the limits allow was never exceeded, at no position. */
  check(): void {
    for (let end = Math.max(0, this.all.length - 1); end <= this.all.length; end += 1) {
      const usage = this.usageAt(BigInt(end));
      for (const resource of ['images', 'bytes', 'uploads'] as const)
        assert.ok(usage[resource] <= this.limits[resource], `${resource}: ${usage[resource]}`);
    }
  }

  /** The living end, then a reconciler settles what the dead left. */
  settle(): void {
    this.lag = 0;
    for (const actor of this.actors)
      if (actor.state === 'running') {
        for (const _ of actor.steps);
        actor.state = 'ended';
      }
    for (const stream of new Set(this.all.map(({ stream }) => stream)))
      if (stream !== 'project') this.endUpload(stream);
    for (const [, reservation] of this.ledger().ledger.open) {
      for (const resource of Object.keys(reservation.amounts) as Resource[])
        for (const _ of this.settled(reservation, resource));
    }
  }

  zombies(): void {
    for (const actor of this.actors)
      if (actor.state === 'dead') {
        for (const _ of actor.steps) this.check();
        actor.state = 'ended';
      }
  }

  open(): readonly string[] {
    return [...this.ledger().ledger.open.keys()];
  }

  private endUpload(imageId: string): void {
    const started = this.stream(imageId).findLast(({ type }) => type === 'UploadStarted');
    const uploadId = started?.data.uploadId as string | undefined;
    if (uploadId !== undefined && this.isUploading(imageId, uploadId))
      this.append(imageId, 'UploadAborted', { uploadId });
  }

  private *settled(reservation: Reservation, resource: Resource): Step {
    const look = () => outcomeOf(reservation, resource, this.stream(reservation.imageId));
    if (look().kind === 'unbegun') {
      const { reservationId } = reservation;
      this.append(reservation.imageId, 'ReservationAbandoned', { reservationId });
    }
    const outcome = look();
    assert.notEqual(outcome.kind, 'begun');
    if (outcome.kind === 'made') yield* this.commit(reservation, [resource], outcome.position);
    if (outcome.kind === 'over') yield* this.release(reservation, outcome.position);
  }

  private *create(owner: string): Step {
    const imageId = this.id('image');
    const reservationId = this.id('r');
    const reservation = this.reservation(owner, imageId, 'command', reservationId, { images: 1 });
    if (!(yield* this.reserve(reservation))) return;
    yield;
    if (this.isAbandoned(imageId, reservationId)) return;
    const position = this.append(imageId, 'ImageCreated', {}, reservationId);
    this.successes += 1;
    yield;
    yield* this.commit(reservation, ['images'], position);
  }

  /** Of an image that nobody counts: only its upload does. */
  private *upload(owner: string, { declared, chunks, fails }: Work & { kind: 'upload' }): Step {
    const [imageId, uploadId] = [this.id('image'), this.id('u')];
    const size = chunks.reduce((sum, chunk) => sum + chunk, 0);
    const amounts = { uploads: 1, ...(declared ? { bytes: size } : { bytes: 0 }) };
    const reservation = this.reservation(owner, imageId, 'upload', uploadId, amounts, !declared);
    if (!(yield* this.reserve(reservation))) return;
    yield;
    if (this.isAbandoned(imageId, uploadId)) return;
    const began = this.append(imageId, 'UploadStarted', { uploadId });
    yield;
    yield* this.commit(reservation, ['uploads'], began);
    let granted = declared ? size : 0;
    let received = 0;
    for (const chunk of chunks) {
      yield;
      received += chunk;
      if (received > granted) {
        const by = yield* this.extend(uploadId, received - granted);
        if (by === 0) {
          yield* this.abort(reservation, imageId, uploadId);
          return;
        }
        granted += by;
      }
    }
    yield;
    yield* this.change({ type: 'Return', reservationId: uploadId, resource: 'bytes', to: size });
    yield;
    if (fails) {
      yield* this.abort(reservation, imageId, uploadId);
      return;
    }
    if (!this.isUploading(imageId, uploadId)) return;
    const position = this.append(imageId, 'ImageActivated', { uploadId, size });
    this.successes += 1;
    yield;
    yield* this.commit(reservation, ['bytes'], position);
  }

  private *abort(reservation: Reservation, imageId: string, uploadId: string): Step {
    yield;
    if (!this.isUploading(imageId, uploadId)) return;
    const position = this.append(imageId, 'UploadAborted', { uploadId });
    yield;
    yield* this.release(reservation, position);
  }

  private *delete(pick: number): Step {
    yield;
    const images = [...new Set(this.all.map(({ stream }) => stream))].filter(
      (stream) => stream !== 'project' && this.stream(stream).at(-1)?.type !== 'ImageDeleted',
    );
    const imageId = images[pick % images.length];
    if (imageId !== undefined) this.append(imageId, 'ImageDeleted', {});
  }

  private *reserve(reservation: Reservation): Generator<undefined, boolean, undefined> {
    return (
      (yield* this.request({ type: 'Reserve', reservation, limits: this.limits })) !== undefined
    );
  }

  private *extend(reservationId: string, needed: number): Generator<undefined, number, undefined> {
    const [event] =
      (yield* this.request({
        type: 'Extend',
        reservationId,
        resource: 'bytes',
        needed,
        slack: 50,
        limit: this.limits.bytes,
      })) ?? [];
    return event?.type === 'QuotaExtended' ? event.data.by : 0;
  }

  /** As the gateways do it: first by what is known, and anew from the head before it is refused. */
  private *request(
    request: Request,
  ): Generator<undefined, readonly QuotaEvent[] | undefined, undefined> {
    for (let fresh = false; ; ) {
      const { ledger, revision } = this.ledger();
      yield;
      const head = BigInt(this.all.length);
      const lagging = fresh ? head : head - BigInt(this.lag);
      const checkpoint = lagging > ledger.horizon ? lagging : ledger.horizon;
      const usage = this.usageAt(checkpoint);
      yield;
      const grounds = { projectId: 'red', usage, counted: new Set<string>() };
      for (const { reservation, resource } of doubtsOf(request, ledger, grounds)) {
        const outcome = outcomeOf(reservation, resource, this.stream(reservation.imageId));
        if (outcome.kind === 'made' && outcome.position <= checkpoint)
          grounds.counted.add(countedKey(reservation.reservationId, resource));
      }
      yield;
      let events: readonly QuotaEvent[];
      try {
        events = quota.decide({ ...request, grounds }, ledger);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (error.code !== 'quota-exceeded') return undefined;
        if (fresh && this.ledger().revision === revision) {
          this.checkNeeded(request, checkpoint);
          this.refusals += 1;
          return undefined;
        }
        fresh = true;
        continue;
      }
      yield;
      if (this.appended(events, revision)) return events;
    }
  }

  /** A refusal is needed: with what is used and may still come to be used there is no room. */
  private checkNeeded(request: Request, checkpoint: bigint): void {
    const usage = this.usageAt(checkpoint);
    const { open } = this.ledger().ledger;
    const amounts =
      request.type === 'Reserve' ? request.reservation.amounts : { bytes: request.needed };
    const short = resources.some((resource) => {
      const limit = (this.limits as Amounts)[resource];
      const pending = [...open.values()].reduce((sum, reservation) => {
        const outcome = outcomeOf(reservation, resource, this.stream(reservation.imageId));
        const counted = outcome.kind === 'made' && outcome.position <= checkpoint;
        return counted ? sum : sum + (reservation.amounts[resource] ?? 0);
      }, usage[resource]);
      return limit !== undefined && pending + (amounts[resource] ?? 0) > limit;
    });
    assert.ok(short, 'it was refused although there is room');
  }

  private *commit(reservation: Reservation, made: readonly Resource[], position: bigint): Step {
    const { reservationId } = reservation;
    yield* this.change({ type: 'Commit', reservationId, resources: made, position });
  }

  private *release({ reservationId }: Reservation, position: bigint): Step {
    yield* this.change({ type: 'Release', reservationId, reason: 'x', position });
  }

  private *change(command: Exclude<QuotaCommand, Request>): Step {
    for (;;) {
      const { ledger, revision } = this.ledger();
      const events = quota.decide(command, ledger);
      yield;
      if (this.appended(events, revision)) return;
    }
  }

  private appended(events: readonly QuotaEvent[], revision: number): boolean {
    if (events.length === 0) return true;
    if (this.ledger().revision !== revision) return false;
    for (const { type, data } of events) this.append('project', type, data);
    return true;
  }

  private ledger(): { readonly ledger: Ledger; readonly revision: number } {
    const events = this.stream('project') as unknown as readonly QuotaEvent[];
    return { ledger: events.reduce(quota.evolve, noneOpen), revision: events.length };
  }

  /** As the read model has it at a position. */
  private usageAt(position: bigint): Usage {
    const charges = new Map<string, { images: number; bytes: number; uploads: number }>();
    for (const { stream, event } of this.all.slice(0, Number(position))) {
      const charge = charges.get(stream) ?? { images: 0, bytes: 0, uploads: 0 };
      charges.set(stream, charge);
      if (event.type === 'ImageCreated') charge.images = 1;
      if (event.type === 'UploadStarted') charge.uploads = 1;
      if (event.type === 'ImageActivated') charge.bytes = event.data.size as number;
      if (event.type === 'ImageActivated' || event.type === 'UploadAborted') charge.uploads = 0;
      if (event.type === 'ImageDeleted') charges.set(stream, { images: 0, bytes: 0, uploads: 0 });
    }
    const sum = (of: 'images' | 'bytes' | 'uploads') =>
      [...charges.values()].reduce((total, charge) => total + charge[of], 0);
    return { images: sum('images'), bytes: sum('bytes'), staged: 0, uploads: sum('uploads') };
  }

  private isUploading(imageId: string, uploadId: string): boolean {
    const last = this.stream(imageId).findLast(({ type }) =>
      ['UploadStarted', 'ImageActivated', 'UploadAborted', 'ImageDeleted'].includes(type),
    );
    return last?.type === 'UploadStarted' && last.data.uploadId === uploadId;
  }

  /** Or the image is gone: either way its stream refuses the act. */
  private isAbandoned(imageId: string, reservationId: string): boolean {
    return this.stream(imageId).some(
      ({ type, data }) =>
        type === 'ImageDeleted' ||
        (type === 'ReservationAbandoned' && data.reservationId === reservationId),
    );
  }

  private reservation(
    owner: string,
    imageId: string,
    act: Reservation['act'],
    reservationId: string,
    amounts: Amounts,
    growing = false,
  ): Reservation {
    return { reservationId, imageId, act, attempt: reservationId, owner, amounts, growing };
  }

  private stream(name: string): readonly RecordedEvent[] {
    return this.all.filter(({ stream }) => stream === name).map(({ event }) => event);
  }

  private append(stream: string, type: string, data: object, causationId = 'x'): bigint {
    const position = BigInt(this.all.length + 1);
    const event = { type, data, position, metadata: { causationId } } as unknown as RecordedEvent;
    this.all.push({ stream, event });
    return position;
  }

  private id(prefix: string): string {
    this.ids += 1;
    return `${prefix}${this.ids}`;
  }
}
