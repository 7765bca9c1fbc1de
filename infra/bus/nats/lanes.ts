import type { EventLog, RecordedEvent } from '../../../domain/event-log.ts';
import { ownerMoveIn } from '../../../domain/outside/standing.ts';
import { eventId } from '../../event-id.ts';
import { cloudEventOf, withoutData } from '../../outside/cloud-event.ts';
import { standings } from '../../outside/standings.ts';
import { subjectOf, subjectToken } from '../../outside/subject.ts';
import type { Lane, Message } from './relay.ts';
import type { StreamShape } from './streams.ts';

/** Where messages go, and how the streams are kept; each lane has a stream of its own, named after this one. */
export interface BusPlace
  extends Pick<StreamShape, 'maxAgeMs' | 'maxBytes' | 'duplicateWindowMs' | 'replicas'> {
  readonly stream: string;
  readonly region: string;
}

/** What there are documents of. Named one by one: notifications have subjects beside them. */
const kinds = ['image', 'metadef', 'import'] as const;
export const encode = (document: unknown): Uint8Array => Buffer.from(JSON.stringify(document));

export const subjectPrefix = (region: string): string => `daguerre.v1.${subjectToken(region)}`;

/** Facts as CloudEvents, for integrators: as much of the log as the limits of the stream allow. */
export function eventsLane(log: Pick<EventLog, 'readStream'>, place: BusPlace): Lane {
  const { stream, region, ...limits } = place;
  const known = standings(log);
  const prefix = subjectPrefix(region);
  return {
    name: 'events',
    shape: { ...limits, name: stream, subjects: kinds.map((kind) => `${prefix}.${kind}.>`) },
    from: 'start',
    async messagesOf(event, maxBytes) {
      const outside = await known.outsideOf(event);
      if (outside === undefined) return [];
      const document = cloudEventOf(event, { ...outside, region });
      if (document === undefined) return [];
      const whole = encode(document);
      const body = whole.length <= maxBytes ? whole : encode(withoutData(document));
      const message = (id: string, projectId: string | null): Message => ({
        id,
        subject: subjectOf(event, { region, projectId }),
        contentType: 'application/cloudevents+json',
        body,
      });
      const told = message(event.id, outside.projectId);
      const move = ownerMoveIn(event);
      return move === undefined ? [told] : [told, message(copyId(event), move.from)];
    },
  };
}

/**
 * Of the same document on the subject of the project that it belonged to before, whose subscribers have to learn that
 * it is theirs no more. JetStream takes each id once.
 */
const copyId = ({ id }: RecordedEvent): string => eventId(id, 'former-project', 0);

/** Enough for processes that were away for as long as a restart takes; who misses more reads the log. */
const ownLimits = { maxAgeMs: 3_600_000, maxBytes: 256 * 1024 * 1024 } as const;

export const ownStream = (stream: string): string => `${stream}_OWN`;

/** Every event as it is, for our own processes: not for integrators, whose NATS users should not see its subjects. */
export function ownLane({ stream, region, duplicateWindowMs, replicas }: BusPlace): Lane {
  const prefix = `daguerre.own.v1.${subjectToken(region)}`;
  return {
    name: 'own',
    shape: {
      ...ownLimits,
      duplicateWindowMs,
      replicas,
      name: ownStream(stream),
      subjects: [`${prefix}.>`],
    },
    from: 'now',
    async messagesOf(event, maxBytes) {
      const body = ownBody(event);
      // Who follows sees from the next message that it lacks this one, and reads it from the log.
      if (body.length > maxBytes) return [];
      const subject = `${prefix}.${subjectToken(event.streamId.split('-', 1)[0] ?? '')}`;
      return [{ id: event.id, subject, contentType: 'application/json', body }];
    },
  };
}

const ownBody = (event: RecordedEvent): Uint8Array =>
  encode({ ...event, position: String(event.position) });

/** The event in such a message. */
export function eventIn(body: Uint8Array): RecordedEvent {
  const event = JSON.parse(Buffer.from(body).toString()) as RecordedEvent & {
    position: string;
    recordedAt: string;
  };
  return { ...event, position: BigInt(event.position), recordedAt: new Date(event.recordedAt) };
}

export type { Lane, Message };
