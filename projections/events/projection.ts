import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Visibility } from '../../domain/image/attributes.ts';
import type { JsonObject } from '../../domain/json.ts';
import { outsideKindOf } from '../../domain/outside/exposure.ts';
import { type Outside, outsideOf } from '../../domain/outside/outside.ts';
import { type Standing, standingAfter } from '../../domain/outside/standing.ts';
import type { Journal, Projection, Table } from '../projection.ts';
import type { Told } from './events.ts';

/**
 * For whom each image, and each namespace, is there now. Of deleted images too: what happens to their bytes is still their
 * owner's to know.
 */
const standingTable: Table<Standing> = {
  columns: {
    owner: 'text',
    visibility: 'text not null',
    members: 'jsonb not null',
    there: 'boolean not null',
  },
  storage: 'fillfactor = 90',
  distinct: {},
  longest: {},
  indexes: {},
  toJson: ({ owner, visibility, members, there }) => ({ owner, visibility, members, there }),
  fromJson: ({ owner, visibility, members, there }) => ({
    owner: owner as string | null,
    visibility: visibility as Visibility,
    members: members as readonly string[],
    there: there as boolean,
  }),
};

type EventParts = { readonly standing: Standing };

/** Positions as text sort as numbers do: 19 digits. */
export const positionKey = (position: bigint): string => String(position).padStart(19, '0');

/** What comes before the position in the keys of a reader's rows. No project's prefix is the beginning of another's. */
export const everyonesRows = 'all/';
export const rowsOfReader = (projectId: string): string =>
  `project ${projectId.replace(/[%/]/g, (sign) => (sign === '%' ? '%25' : '%2F'))}/`;

/** Every fact that is told outside, by its position, with all that its document is made of. */
const eventJournal: Journal<EventParts> = {
  columns: {
    stream: 'text not null',
    type: 'text not null',
    project: 'text',
    former: 'text',
    weight: 'integer not null',
    event: 'text not null',
  },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: {},
  longest: { stream: 1020, project: 1020, former: 1020 },
  indexes: {
    event_by_stream: '(stream, id)',
    event_by_project: '(project, id)',
    event_by_former: '(former, id) where former is not null',
  },
  rows({ standing }, event) {
    const outside = outsideOf(event, standing);
    if (outside === undefined) return [];
    const text = storedText(event, outside);
    return [
      {
        id: positionKey(event.position),
        stream: event.streamId,
        type: event.type,
        project: outside.projectId,
        former: outside.formerProjectId,
        weight: text.length,
        event: text,
      },
    ];
  },
};

/** Who may read which fact: one row for everyone, or one per project. In key order, each reader's facts lie together. */
const readerJournal: Journal<EventParts> = {
  columns: { event: 'text not null' },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: {},
  longest: {},
  indexes: {},
  rows({ standing }, event) {
    const readers = outsideOf(event, standing)?.readers ?? [];
    const prefixes = readers === 'everyone' ? [everyonesRows] : readers.map(rowsOfReader);
    const key = positionKey(event.position);
    return prefixes.map((prefix) => ({ id: `${prefix}${key}`, event: key }));
  },
};

/** The read model behind `Events`: views `events.event`, `events.reader` and `events.standing`. */
export const eventsProjection: Projection<EventParts> = {
  name: 'events',
  version: 2,
  tables: { standing: standingTable },
  journals: { event: eventJournal, reader: readerJournal },
  keyOf: ({ streamId }) => (outsideKindOf(streamId) === undefined ? undefined : streamId),
  fold: ({ standing }, event) => ({ standing: standingAfter(standing, event) }),
};

const storedText = (event: RecordedEvent, { readers }: Outside): string => {
  const { id, schemaVersion, revision, recordedAt, data, metadata } = event;
  return JSON.stringify({ id, schemaVersion, revision, recordedAt, data, metadata, readers });
};

export interface StoredEvent {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly project: string | null;
  readonly former: string | null;
  readonly event: string;
}

export function toldFrom({ id, stream, type, project, former, event }: StoredEvent): Told {
  const { readers, recordedAt, ...rest } = JSON.parse(event) as JsonObject;
  const recorded = {
    ...rest,
    type,
    streamId: stream,
    position: BigInt(id),
    recordedAt: new Date(String(recordedAt)),
  };
  return {
    event: recorded as unknown as RecordedEvent,
    projectId: project,
    formerProjectId: former,
    readers: readers as Told['readers'],
  };
}
