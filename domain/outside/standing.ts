import type { BulkEvent } from '../bulk/events.ts';
import type { RecordedEvent } from '../event-log.ts';
import type { Visibility } from '../image/attributes.ts';
import type { ImageEvent } from '../image/events.ts';
import type { NamespaceEvent } from '../metadef/events.ts';

/** For whom an image, or a namespace, is there, as the events so far have it. */
export interface Standing {
  readonly owner: string | null;
  readonly visibility: Visibility;
  /** Projects that it is shared with. */
  readonly members: readonly string[];
  /** False from its deletion on, or while that is scheduled: then only its owner is told what is left to tell. */
  readonly there: boolean;
}

/** Takes in one event of its stream. Stays the same object where the event moves nothing of this. */
export function standingAfter(
  standing: Standing | undefined,
  recorded: Pick<RecordedEvent, 'type' | 'data'>,
): Standing | undefined {
  const event = recorded as unknown as ImageEvent | NamespaceEvent | BulkEvent;
  if (event.type === 'ImageCreated' || event.type === 'MetadefNamespaceCreated') {
    const { owner, visibility } = event.data;
    return { owner, visibility, members: [], there: true };
  }
  if (event.type === 'BulkImportRequested')
    return { owner: event.data.project, visibility: 'private', members: [], there: true };
  if (standing === undefined) return undefined;
  if (recorded.type === 'ImageDeletionScheduled') return { ...standing, there: false };
  if (recorded.type === 'ImageRestored') return { ...standing, there: true };
  switch (event.type) {
    case 'ImageUpdated': {
      const moved = ownerMoveIn(recorded);
      return moved === undefined ? standing : { ...standing, owner: moved.to };
    }
    case 'VisibilityChanged':
      return { ...standing, visibility: event.data.to };
    case 'MemberAdded':
      return { ...standing, members: [...standing.members, event.data.member] };
    case 'MemberRemoved': {
      const members = standing.members.filter((member) => member !== event.data.member);
      return { ...standing, members };
    }
    case 'MetadefNamespaceUpdated': {
      const moves = event.data.changes
        .filter(({ field }) => field === 'owner' || field === 'visibility')
        .map(({ field, to }) => [field, to]);
      return moves.length === 0 ? standing : { ...standing, ...Object.fromEntries(moves) };
    }
    case 'ImageDeleted':
    case 'MetadefNamespaceDeleted':
      return { ...standing, members: [], there: false };
    default:
      return standing;
  }
}

/** Project ids; null is nobody. */
export interface OwnerMove {
  readonly from: string | null;
  readonly to: string | null;
}

/** Who it belonged to and belongs to now, where a fact changes that. */
export function ownerMoveIn({
  type,
  data,
}: Pick<RecordedEvent, 'type' | 'data'>): OwnerMove | undefined {
  if (type !== 'ImageUpdated' && type !== 'MetadefNamespaceUpdated') return undefined;
  const changes = data.changes as unknown as readonly (OwnerMove & { readonly field: string })[];
  return changes.find(({ field }) => field === 'owner');
}
