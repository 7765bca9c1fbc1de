import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { evolve } from '../../domain/image/evolve.ts';
import { absent, type Image } from '../../domain/image/state.ts';
import { chargeOf } from '../../domain/quota/charge.ts';
import type { QuotaEvent } from '../../domain/quota/events.ts';
import { type Ledger, noneOpen, quota } from '../../domain/quota/quota.ts';
import type { Usage } from '../../domain/quota/resources.ts';
import type { Entry } from '../projection.ts';

/** What an image takes of its owner's quota, and as much of the image as tells how that goes on. */
export interface Charge {
  readonly owner: string | null;
  readonly usage: Usage;
  readonly image: Image;
}

/** What is in flight in a project, as of a revision of its stream. */
export interface LedgerRow {
  readonly ledger: Ledger;
  readonly revision: number;
}

/** Keyed by stream: an image has a charge, a project a ledger. */
export type QuotaParts = { readonly charge: Charge; readonly ledger: LedgerRow };

const relevant: ReadonlySet<string> = new Set([
  'ImageCreated',
  'ImageUpdated',
  'UploadStarted',
  'UploadStaged',
  'UploadAborted',
  'ImportRequested',
  'ImportFetched',
  'ImportCompleted',
  'ImageDataStored',
  'LocationAdded',
  'LocationRemoved',
  'ImageActivated',
  'IngestFailed',
  'ImageDeletionScheduled',
  'ImageRestored',
  'ImageDeleted',
] satisfies readonly ImageEvent['type'][]);

export const projectStream = (projectId: string): string => `project-${projectId}`;

const isOfProject = (streamId: string): boolean => streamId.startsWith('project-');

export function keyOf({ streamId, type, data }: RecordedEvent): string | undefined {
  if (isOfProject(streamId)) return streamId;
  if (!streamId.startsWith('image-') || !relevant.has(type)) return undefined;
  const changes = (data.changes ?? []) as readonly { readonly field: string }[];
  if (type === 'ImageUpdated' && !changes.some(({ field }) => field === 'owner')) return undefined;
  return streamId;
}

export function fold(entry: Entry<QuotaParts>, recorded: RecordedEvent): Entry<QuotaParts> {
  if (isOfProject(recorded.streamId)) {
    const before = entry.ledger?.ledger ?? noneOpen;
    const ledger = quota.evolve(before, recorded as unknown as QuotaEvent);
    return { ...entry, ledger: { ledger, revision: recorded.revision } };
  }
  const before = entry.charge?.image ?? absent;
  const image = evolve(before, recorded as unknown as ImageEvent);
  if (image === before) return entry;
  if (image.status === 'absent' || image.status === 'deleted')
    return { ...entry, charge: undefined };
  return { ...entry, charge: { owner: image.owner, usage: chargeOf(image), image: slim(image) } };
}

type Kept = Exclude<Image, { status: 'absent' | 'deleted' }>;

/** Without what may be large and tells nothing of quota. */
const slim = (image: Kept): Image => ({
  ...image,
  name: null,
  tags: [],
  properties: {},
  members: [],
});
