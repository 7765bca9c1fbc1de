import type { RecordedEvent } from '../../domain/event-log.ts';
import type { NamespaceEvent } from '../../domain/metadef/events.ts';
import { evolve as evolveNamespace } from '../../domain/metadef/state.ts';
import { standingAfter } from '../../domain/outside/standing.ts';
import type { QuotaEvent } from '../../domain/quota/events.ts';
import { noneOpen, quota } from '../../domain/quota/quota.ts';
import type { WebhookEvent } from '../../domain/webhook/events.ts';
import { evolve as evolveWebhook } from '../../domain/webhook/state.ts';
import { fold as foldImage, type ImageEntry, type ImageRow } from '../images/fold.ts';
import { recordFields } from '../images/projection.ts';
import type { Entry } from '../projection.ts';
import { emptyNamespace, type HistoryKind, historyKinds, type Subject } from './subject.ts';

/** An image as it is since an event. */
export interface Version extends ImageRow {
  /** Position of that event. */
  readonly from: bigint;
}

export type HistoryParts = { readonly image: Version; readonly subject: Subject };
export type HistoryEntry = Entry<HistoryParts>;

const kindsByPrefix: Readonly<Record<string, HistoryKind>> = historyKinds;

export const historyKindOf = (streamId: string): HistoryKind | undefined => {
  const prefix = streamId.slice(0, streamId.indexOf('-'));
  return Object.hasOwn(kindsByPrefix, prefix) ? kindsByPrefix[prefix] : undefined;
};

/** What a stream is about, by its own id. */
export const objectOf = (streamId: string): string => streamId.slice(streamId.indexOf('-') + 1);

/** Images by their own id, as the queries want it; everything else by its stream. */
export const historyKeyOf = ({ streamId }: RecordedEvent): string | undefined => {
  const kind = historyKindOf(streamId);
  return kind === 'image' ? objectOf(streamId) : kind && streamId;
};

/** An entry as the read model of images has it. */
export const asImage = ({ image, subject }: HistoryEntry): ImageEntry =>
  subject?.kind === 'image'
    ? { image, work: subject.work ?? undefined, kept: subject.kept ?? undefined }
    : { image };

/** Whether its stream has begun. */
export const isKnown = ({ image, subject }: HistoryEntry): boolean =>
  image !== undefined || subject !== undefined;

/** Of an image or a namespace: who owns it, or owned it at last; null is nobody, undefined where there was none. */
export function ownerOf({ image, subject }: HistoryEntry): string | null | undefined {
  if (image !== undefined) return image.owner;
  if (subject?.kind === 'image') return subject.owner;
  return subject?.kind === 'namespace' ? subject.standing?.owner : undefined;
}

export function fold(entry: HistoryEntry, event: RecordedEvent): HistoryEntry {
  const { subject } = entry;
  switch (historyKindOf(event.streamId)) {
    case 'image':
      return foldVersion(entry, event);
    case 'namespace': {
      const before = subject?.kind === 'namespace' ? subject : emptyNamespace;
      const state = evolveNamespace(before.state, event as unknown as NamespaceEvent);
      const standing = standingAfter(before.standing ?? undefined, event) ?? null;
      if (state === before.state && standing === before.standing) return entry;
      return { subject: { kind: 'namespace', standing, state } };
    }
    case 'webhook': {
      const before = subject?.kind === 'webhook' ? subject.state : ({ status: 'absent' } as const);
      const state = evolveWebhook(before, event as unknown as WebhookEvent);
      return state === before ? entry : { subject: { kind: 'webhook', state } };
    }
    case 'project': {
      const before = subject?.kind === 'project' ? subject.state.ledger : noneOpen;
      const ledger = quota.evolve(before, event as unknown as QuotaEvent);
      const state = { ledger, revision: event.revision };
      return { subject: { kind: 'project', state } };
    }
    case 'task':
    case 'import':
      return subject === undefined ? { subject: { kind: 'owned', owner: askedFor(event) } } : entry;
    default:
      return entry;
  }
}

/** The project that the first fact of a task, or of a bulk import, names. */
function askedFor({ data: { owner, project } }: RecordedEvent): string | null {
  const named = owner ?? project;
  return typeof named === 'string' ? named : null;
}

/** A version ends where a client would see another: what goes on inside an upload moves none. */
function foldVersion(entry: HistoryEntry, event: RecordedEvent): HistoryEntry {
  const before = asImage(entry);
  const after = foldImage(before, event);
  const { image } = after;
  if (image === undefined && !isKnown(entry)) return entry;
  return {
    image: image === before.image ? entry.image : image && versionOf(entry.image, image, event),
    subject: besideImage(entry, after),
  };
}

/** What there is to an image that its row does not tell. */
function besideImage(before: HistoryEntry, { image, work, kept }: ImageEntry): Subject | undefined {
  if (image !== undefined && work === undefined && kept === undefined) return undefined;
  const owner = image === undefined ? (ownerOf(before) ?? null) : image.owner;
  const { subject } = before;
  const isSame =
    subject?.kind === 'image' &&
    subject.owner === owner &&
    subject.work === (work ?? null) &&
    subject.kept === (kept ?? null);
  return isSame ? subject : { kind: 'image', owner, work: work ?? null, kept: kept ?? null };
}

function versionOf(
  before: Version | undefined,
  image: ImageRow,
  { position }: RecordedEvent,
): Version {
  const goesOn =
    before !== undefined && recordFields.every((field) => isSame(before[field], image[field]));
  return { ...image, from: goesOn ? before.from : position };
}

const isSame = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === 'object' &&
    typeof other === 'object' &&
    JSON.stringify(one) === JSON.stringify(other));
