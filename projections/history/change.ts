import type { Metadata, RecordedEvent } from '../../domain/event-log.ts';
import { type Json, type JsonObject, roughLength } from '../../domain/json.ts';
import { exposureOf } from '../../domain/outside/exposure.ts';
import type { RequestRefused } from '../../domain/request-refused.ts';
import { positionKey } from '../events/projection.ts';
import { type Difference, differences } from './differences.ts';
import {
  asImage,
  fold,
  type HistoryEntry,
  historyKindOf,
  isKnown,
  objectOf,
  ownerOf,
} from './fold.ts';
import { imageDifferences, valuesOfImage } from './image-values.ts';
import type { HistoryKind } from './subject.ts';
import { valuesOfSubject } from './subject-values.ts';

/** One event as history tells it. */
export interface ChangeRecord {
  readonly position: bigint;
  readonly kind: HistoryKind;
  /** Id of the image, the namespace, the webhook or the project; of a refused attempt what it was about, if anything. */
  readonly object: string | null;
  readonly type: string;
  readonly recordedAt: Date;
  /** The owner once it had happened; of a refused attempt the caller's project. */
  readonly projectId: string | null;
  /** The owner before, where that was another. */
  readonly formerProjectId: string | null;
  /** Claims and leases: how the system works, and nobody's but an auditor's to see. */
  readonly inside: boolean;
  readonly eventId: string;
  readonly revision: number;
  readonly metadata: Metadata;
  readonly differences: readonly Difference[];
  /** What the event says beside the differences. */
  readonly data: JsonObject;
}

/** What is read of a change, and never asked for. */
interface Told extends Pick<ChangeRecord, 'revision' | 'metadata' | 'differences' | 'data'> {
  readonly id: string;
}

export interface ChangeRow {
  readonly id: string;
  readonly kind: string;
  readonly object: string | null;
  readonly name: string | null;
  readonly type: string;
  readonly at: string | Date;
  readonly actor: string;
  readonly project: string | null;
  readonly former: string | null;
  readonly inside: boolean;
  readonly refused: boolean;
  readonly weight: number;
  readonly event: Told;
}

/** Facts that the differences tell whole; and the items of a manifest, which are told image by image. */
const toldByDifferences: ReadonlySet<string> = new Set([
  'ImageCreated',
  'ImageUpdated',
  'VisibilityChanged',
  'ProtectionChanged',
  'TagAdded',
  'TagRemoved',
  'MemberAdded',
  'MemberStatusChanged',
  'MemberRemoved',
  'BulkItemsListed',
]);

/** Kinds of which it is settled what stays inside. */
const hasExposure: ReadonlySet<HistoryKind> = new Set(['image', 'namespace', 'import']);

/** The row of an event; `entry` is what its stream had come to, `after` what it came to with it. */
export function changeRow(
  entry: HistoryEntry,
  event: RecordedEvent,
  after: HistoryEntry = fold(entry, event),
): ChangeRow | undefined {
  const kind = historyKindOf(event.streamId);
  if (kind === undefined) return undefined;
  const { id, type, revision, recordedAt, metadata, data } = event;
  const found = kind === 'refusals' ? [] : differencesIn(entry, after, event);
  const told = toldByDifferences.has(type) || kind === 'namespace' || kind === 'webhook';
  const whole = { id, revision, metadata, differences: found, data: told ? {} : data };
  const [owner, former] = ownersOf(entry, after, event);
  return {
    id: positionKey(event.position),
    kind,
    object: kind === 'refusals' ? refusedObject(event) : objectOf(event.streamId),
    name: nameIn(event),
    type,
    at: recordedAt.toISOString(),
    actor: metadata.actor.kind === 'user' ? metadata.actor.userId : metadata.actor.part,
    project: owner,
    former: former === owner ? null : former,
    inside: hasExposure.has(kind) && exposureOf(event) === 'inside',
    refused: kind === 'refusals',
    weight: roughLength(whole as unknown as Json),
    event: whole,
  };
}

export function changeFrom(row: ChangeRow): ChangeRecord {
  const { id, ...rest } = row.event;
  return {
    ...rest,
    eventId: id,
    position: BigInt(row.id),
    kind: row.kind as HistoryKind,
    object: row.object,
    type: row.type,
    recordedAt: new Date(row.at),
    projectId: row.project,
    formerProjectId: row.former,
    inside: row.inside,
  };
}

/** Of what is gone nothing is said but that: what it was is known. */
export function differencesIn(
  before: HistoryEntry,
  after: HistoryEntry,
  { streamId }: Pick<RecordedEvent, 'streamId'>,
): readonly Difference[] {
  const isImage = historyKindOf(streamId) === 'image';
  if (isImage && after.image !== undefined && (before.image !== undefined || !isKnown(before)))
    return imageDifferences(before.image, after.image);
  const [was, is] = isImage
    ? [
        valuesOfImage(asImage(before), isKnown(before)),
        valuesOfImage(asImage(after), isKnown(after)),
      ]
    : [valuesOfSubject(before.subject), valuesOfSubject(after.subject)];
  if (was === is) return [];
  const found = differences(was, is);
  const end = is.get('field status')?.value;
  return end === 'deleted' || end === 'removed'
    ? found.filter(({ kind, name }) => kind === 'field' && name === 'status')
    : found;
}

function ownersOf(
  before: HistoryEntry,
  after: HistoryEntry,
  { streamId, metadata }: RecordedEvent,
): readonly [owner: string | null, former: string | null] {
  switch (historyKindOf(streamId)) {
    case 'image':
    case 'namespace': {
      const owner = ownerOf(after) ?? null;
      const was = ownerOf(before);
      return [owner, was === undefined ? owner : was];
    }
    case 'webhook':
      return [webhookOwner(after) ?? webhookOwner(before), null];
    case 'project':
    case 'hold':
    case 'recording':
      return [objectOf(streamId), null];
    case 'task':
    case 'import':
      return [after.subject?.kind === 'owned' ? after.subject.owner : null, null];
    default:
      return [metadata.actor.kind === 'user' ? metadata.actor.projectId : null, null];
  }
}

const webhookOwner = ({ subject }: HistoryEntry): string | null =>
  subject?.kind === 'webhook' && 'project' in subject.state ? subject.state.project : null;

const refusedObject = ({ data }: RecordedEvent): string | null =>
  (data as RequestRefused['data']).target;

/** The name that a namespace has from here on; histories of namespaces are asked for by name. */
function nameIn({ type, data }: RecordedEvent): string | null {
  const named: Json | undefined =
    type === 'MetadefNamespaceCreated'
      ? data.namespace
      : type === 'MetadefNamespaceRenamed'
        ? data.to
        : undefined;
  return typeof named === 'string' ? named : null;
}
