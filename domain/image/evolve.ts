import type { Member } from './attributes.ts';
import type { ImageEvent } from './events.ts';
import { evolveHold } from './hold.ts';
import { inserted } from './locations.ts';
import {
  type Content,
  deathsOf,
  type Existing,
  type Image,
  type Location,
  type Upload,
} from './state.ts';

type Data<Type extends ImageEvent['type']> = (ImageEvent & { readonly type: Type })['data'];

/** Records a fact; an event that does not fit the state changes nothing. */
export function evolve(state: Image, event: ImageEvent): Image {
  if (event.type === 'ReservationAbandoned') {
    if (state.status === 'deleted') return state;
    return { ...state, abandoned: [...(state.abandoned ?? []), event.data.reservationId] };
  }
  if (event.type === 'LegalHoldPlaced' || event.type === 'LegalHoldLifted')
    return evolveHold(state, event);
  switch (state.status) {
    case 'absent':
      return event.type === 'ImageCreated'
        ? { ...event.data, members: [], status: 'queued', upload: null }
        : state;
    case 'deleted':
      return event.type === 'ImageDataRemoved' ? { ...state, dataRemoved: true } : state;
    case 'pending_delete': {
      if (event.type === 'ImageDeleted') return { status: 'deleted', dataRemoved: false };
      if (event.type !== 'ImageRestored') return state;
      const { was, dueAt: _, ...rest } = state;
      return { ...rest, status: was };
    }
    default:
      return evolveExisting(state, event);
  }
}

/** Of what happens to an image, but for holds. */
type Happening = Exclude<ImageEvent, { readonly type: 'LegalHoldPlaced' | 'LegalHoldLifted' }>;

function evolveExisting(state: Existing, event: Happening): Image {
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
      return started(state, event.data);
    case 'ImportRequested':
      return imported(state, event.data);
    case 'UploadStaged':
      return inUpload(state, event.data.uploadId, () => ({ stagedSize: event.data.size }));
    case 'IngestClaimed':
      return inUpload(state, event.data.uploadId, (upload) => ({
        epoch: event.data.epoch,
        claimedBy: event.data.owner,
        deadClaims: deathsOf(upload),
        gotOn: false,
      }));
    case 'ImportAdvanced':
      return inUpload(state, event.data.uploadId, () => ({
        fetched: event.data.bytes,
        gotOn: true,
      }));
    case 'ImportFetched':
      return inUpload(state, event.data.uploadId, () => ({
        stagedSize: event.data.size,
        gotOn: true,
      }));
    case 'ImportStoreFailed':
      return inUpload(state, event.data.uploadId, ({ stores }) => ({
        stores: stores.filter((store) => store !== event.data.store),
      }));
    case 'IngestReleased':
      return inUpload(state, event.data.uploadId, (upload) =>
        upload.epoch === event.data.epoch ? { claimedBy: null } : {},
      );
    case 'ImageDataStored': {
      const { uploadId, store, key, size } = event.data;
      const location = { id: key, store, key, ours: true, metadata: {} };
      return stored(state, uploadId, location, size);
    }
    case 'LocationAdded': {
      const { locationId, store, url, metadata, size, digests, algorithm, at } = event.data;
      const location = { id: locationId, store, key: url, ours: false, metadata };
      return located(state, location, { size, digests, algorithm }, at);
    }
    case 'LocationMetadataChanged':
      return inLocations(state, (locations) =>
        locations.map((location) =>
          location.id === event.data.locationId && location.store === event.data.store
            ? { ...location, metadata: event.data.to }
            : location,
        ),
      );
    case 'LocationRemoved':
      return inLocations(state, (locations) =>
        locations.filter(
          ({ id, store }) => id !== event.data.locationId || store !== event.data.store,
        ),
      );
    case 'ImageDigested': {
      const { uploadId, digests, algorithm } = event.data;
      return inContent(state, uploadId, { digests, algorithm });
    }
    case 'DiskFormatInspected':
      return inContent(state, event.data.uploadId, { virtualSize: event.data.virtualSize });
    case 'ImageActivated': {
      const { upload } = state;
      if (upload?.uploadId !== event.data.uploadId || 'content' in state) return state;
      const open = upload.method === null ? null : upload;
      return { ...state, status: 'active', content: upload.content, upload: open };
    }
    case 'UploadAborted':
    case 'IngestFailed':
      if (state.upload?.uploadId !== event.data.uploadId) return state;
      return 'content' in state
        ? { ...state, upload: null }
        : { ...state, status: 'queued', upload: null };
    case 'ImportCompleted':
      return state.upload?.uploadId === event.data.uploadId && 'content' in state
        ? { ...state, upload: null }
        : state;
    case 'ImageDeactivated':
      return state.status === 'active' ? { ...state, status: 'deactivated' } : state;
    case 'ImageReactivated':
      return state.status === 'deactivated' ? { ...state, status: 'active' } : state;
    case 'ImageDeletionScheduled':
      return 'content' in state
        ? {
            ...state,
            status: 'pending_delete',
            was: state.status,
            dueAt: event.data.dueAt,
            upload: null,
          }
        : state;
    case 'ImageDeleted':
      return {
        status: 'deleted',
        dataRemoved: state.status === 'queued' && state.upload === null,
      };
    case 'ImageCreated':
    case 'ImageRestored':
    case 'ReservationAbandoned':
    case 'ImageDataRemoved':
      return state;
  }
}

const nothing: Content = {
  size: 0,
  virtualSize: null,
  digests: {},
  algorithm: null,
  locations: [],
};

const begun = {
  stagedSize: null,
  epoch: 0,
  claimedBy: null,
  deadClaims: 0,
  gotOn: false,
  fetched: 0,
  content: nothing,
} as const;

function started(state: Existing, data: Data<'UploadStarted'>): Image {
  if (state.status !== 'queued' || state.upload !== null) return state;
  const { uploadId, owner, declaredSize, store, purpose } = data;
  return {
    ...state,
    status: purpose === 'stage' ? 'uploading' : 'saving',
    upload: {
      ...begun,
      uploadId,
      owner,
      declaredSize,
      stores: [store],
      method: null,
      allStoresMustSucceed: true,
    },
  };
}

/** Nobody waits for a location's bytes where no digest is to be checked: such an image stays queued until it is active. */
function imported(state: Existing, data: Data<'ImportRequested'>): Image {
  const { uploadId, method, stores, allStoresMustSucceed } = data;
  const asked = { method, stores, allStoresMustSucceed };
  if (state.status === 'uploading' && state.upload.uploadId === uploadId)
    return { ...state, status: 'importing', upload: { ...state.upload, ...asked, owner: null } };
  if (state.upload !== null) return state;
  const upload = { ...begun, ...asked, uploadId, owner: null, declaredSize: null };
  return state.status === 'queued' && !(method.name === 'location' && method.validation === null)
    ? { ...state, status: 'importing', upload }
    : { ...state, upload };
}

/** What an attempt wrote is gathered until the image is active, and is the image's at once from then on. */
function stored(state: Existing, uploadId: string, location: Location, size: number): Image {
  if (state.upload?.uploadId !== uploadId) return state;
  const told = inUpload(state, uploadId, ({ content }) => ({
    gotOn: true,
    content: { ...content, size, locations: withLocation(content.locations, location) },
  }));
  return inLocations(told, (locations) => withLocation(locations, location));
}

const withLocation = (
  locations: readonly Location[],
  location: Location,
  at: number | null = null,
): readonly Location[] =>
  inserted(
    locations.filter(({ id, store }) => id !== location.id || store !== location.store),
    location,
    at,
  );

/** Where there is an attempt that has not made the image active, what it found is gathered until then. */
function located(
  state: Existing,
  location: Location,
  known: Pick<Content, 'size'> & Partial<Content>,
  at: number | null = null,
): Image {
  if ('content' in state)
    return inLocations(state, (locations) => withLocation(locations, location, at));
  const { upload } = state;
  if (upload === null)
    return {
      ...state,
      status: 'active',
      content: { ...nothing, ...known, locations: [location] },
      upload,
    };
  const locations = [...upload.content.locations, location];
  return { ...state, upload: { ...upload, content: { ...upload.content, ...known, locations } } };
}

const inUpload = (
  state: Existing,
  uploadId: string,
  change: (upload: Upload) => Partial<Upload>,
): Existing =>
  state.upload?.uploadId === uploadId
    ? { ...state, upload: { ...state.upload, ...change(state.upload) } }
    : state;

/** What an attempt found out, of the image itself once that is active. */
function inContent(state: Existing, uploadId: string, known: Partial<Content>): Image {
  if (state.upload?.uploadId !== uploadId) return state;
  return 'content' in state
    ? { ...state, content: { ...state.content, ...known } }
    : inUpload(state, uploadId, ({ content }) => ({ content: { ...content, ...known } }));
}

const inLocations = (
  state: Existing,
  change: (locations: readonly Location[]) => readonly Location[],
): Image =>
  'content' in state
    ? { ...state, content: { ...state.content, locations: change(state.content.locations) } }
    : state;

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
