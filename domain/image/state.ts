import type { Attributes, Member } from './attributes.ts';
import type { Digests, ImageEvent } from './events.ts';

/** Bytes that arrived whole. */
export interface Content {
  readonly uploadId: string;
  readonly store: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly virtualSize: number | null;
  readonly digests: Digests;
  /** The digest shown as `os_hash_algo`. */
  readonly algorithm: string;
}

/** One attempt to fill the image, from `UploadStarted` to its end. */
export interface Upload {
  readonly uploadId: string;
  /** The gateway process that receives the bytes. */
  readonly owner: string;
  readonly declaredSize: number | null;
  readonly store: string;
  /** Bytes in staging, null until the last one is durable there. */
  readonly stagedSize: number | null;
  /** The newest claim's number; 0 before the first. */
  readonly epoch: number;
  /** The worker process that holds the newest claim; null when there is none or it was released. */
  readonly claimedBy: string | null;
  /** Claims that were superseded without a release. */
  readonly deadClaims: number;
  /** Gathered from the facts that one append carries before `ImageActivated`. */
  readonly content: Partial<Content>;
}

/** What an image keeps in every status. */
type Lasting = Attributes & {
  /** In the order in which they were added; dormant while the image is not shared. */
  readonly members: readonly Member[];
};

export type Image =
  | { readonly status: 'absent' }
  | (Lasting & { readonly status: 'queued' })
  | (Lasting & { readonly status: 'saving'; readonly upload: Upload })
  | (Lasting & { readonly status: 'active' | 'deactivated'; readonly content: Content })
  /** `dataRemoved` also when there was none. The id is spent for ever. */
  | { readonly status: 'deleted'; readonly dataRemoved: boolean };

export const absent: Image = { status: 'absent' };

/** After this many claims that died the image is taken to kill its workers. */
export const maxDeadClaims = 5;

const withoutUpload = (image: Image & { status: 'saving' }): Image => {
  const { upload: _, ...rest } = image;
  return { ...rest, status: 'queued' };
};

const inUpload = (
  state: Image,
  uploadId: string,
  change: (upload: Upload) => Partial<Upload>,
): Image =>
  state.status === 'saving' && state.upload.uploadId === uploadId
    ? { ...state, upload: { ...state.upload, ...change(state.upload) } }
    : state;

const inContent = (state: Image, uploadId: string, content: Partial<Content>): Image =>
  inUpload(state, uploadId, (upload) => ({ content: { ...upload.content, ...content } }));

/** Records a fact; an event that does not fit the state changes nothing. */
export function evolve(state: Image, event: ImageEvent): Image {
  if (event.type === 'ImageCreated')
    return state.status === 'absent' ? { ...event.data, members: [], status: 'queued' } : state;
  if (state.status === 'absent') return state;
  if (state.status === 'deleted')
    return event.type === 'ImageDataRemoved' ? { ...state, dataRemoved: true } : state;
  switch (event.type) {
    case 'ImageUpdated': {
      const fields = Object.fromEntries(event.data.changes.map(({ field, to }) => [field, to]));
      return {
        ...state,
        ...fields,
        properties: changedProperties(state.properties, event.data.properties),
      };
    }
    case 'VisibilityChanged':
      return { ...state, visibility: event.data.to };
    case 'ProtectionChanged':
      return { ...state, protected: event.data.to };
    case 'TagAdded':
      return { ...state, tags: [...state.tags, event.data.tag] };
    case 'TagRemoved':
      return { ...state, tags: state.tags.filter((tag) => tag !== event.data.tag) };
    case 'MemberAdded':
      return { ...state, members: [...state.members, added(event.data.member)] };
    case 'MemberStatusChanged': {
      const { member, to } = event.data;
      const members = state.members.map((entry) =>
        entry.projectId === member ? { ...entry, status: to } : entry,
      );
      return { ...state, members };
    }
    case 'MemberRemoved': {
      const members = state.members.filter(({ projectId }) => projectId !== event.data.member);
      return { ...state, members };
    }
    case 'UploadStarted':
      return state.status === 'queued'
        ? {
            ...state,
            status: 'saving',
            upload: {
              ...event.data,
              stagedSize: null,
              epoch: 0,
              claimedBy: null,
              deadClaims: 0,
              content: {},
            },
          }
        : state;
    case 'UploadStaged':
      return inUpload(state, event.data.uploadId, () => ({ stagedSize: event.data.size }));
    case 'IngestClaimed':
      return inUpload(state, event.data.uploadId, (upload) => ({
        epoch: event.data.epoch,
        claimedBy: event.data.owner,
        deadClaims: upload.deadClaims + (upload.claimedBy === null ? 0 : 1),
      }));
    case 'IngestReleased':
      return inUpload(state, event.data.uploadId, (upload) =>
        upload.epoch === event.data.epoch ? { claimedBy: null } : {},
      );
    case 'ImageDataStored': {
      const { uploadId, store, key, size } = event.data;
      return inContent(state, uploadId, { uploadId, store, key, size });
    }
    case 'ImageDigested': {
      const { uploadId, digests, algorithm } = event.data;
      return inContent(state, uploadId, { digests, algorithm });
    }
    case 'DiskFormatInspected':
      return inContent(state, event.data.uploadId, { virtualSize: event.data.virtualSize });
    case 'ImageActivated': {
      if (state.status !== 'saving' || state.upload.uploadId !== event.data.uploadId) return state;
      const { upload, ...rest } = state;
      return { ...rest, status: 'active', content: upload.content as Content };
    }
    case 'UploadAborted':
    case 'IngestFailed':
      return state.status === 'saving' && state.upload.uploadId === event.data.uploadId
        ? withoutUpload(state)
        : state;
    case 'ImageDeactivated':
      return state.status === 'active' ? { ...state, status: 'deactivated' } : state;
    case 'ImageReactivated':
      return state.status === 'deactivated' ? { ...state, status: 'active' } : state;
    case 'ImageDeleted':
      return { status: 'deleted', dataRemoved: state.status === 'queued' };
    case 'ImageDataRemoved':
      return state;
  }
}

const added = (projectId: string): Member => ({ projectId, status: 'pending' });

const changedProperties = (
  before: Readonly<Record<string, string>>,
  changes: readonly { property: string; to: string | null }[],
): Readonly<Record<string, string>> => {
  const after = new Map(Object.entries(before));
  for (const { property, to } of changes) {
    if (to === null) after.delete(property);
    else after.set(property, to);
  }
  return Object.fromEntries(after);
};
