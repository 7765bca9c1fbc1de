import { access, type Caller } from '../../domain/image/access.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { CallerCommand, IngestResult } from '../../domain/image/commands.ts';
import type { ImageEvent, ImportMethod } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import type { Image } from '../../domain/image/state.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';

/** Glance's own policy. */
export const defaultAccess = access(parsePolicy(null));

const caller = (projectId: string, ...roles: readonly string[]): Caller => ({
  userId: `${roles[0]} of ${projectId}`,
  projectId,
  roles,
});

export const admin = caller('operators', 'admin', 'member', 'reader');
export const member = caller('owners', 'member', 'reader');
export const reader = caller('owners', 'reader');
export const roleless = caller('owners');
export const stranger = caller('strangers', 'member', 'reader');
export const strangeReader = caller('strangers', 'reader');

export const attributes: Attributes = {
  name: 'cirros',
  owner: 'owners',
  visibility: 'shared',
  protected: false,
  hidden: false,
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  minDisk: 0,
  minRam: 0,
  tags: ['linux'],
  properties: { os_distro: 'cirros' },
};

export const createdAs = (given: Partial<Attributes>): ImageEvent => ({
  type: 'ImageCreated',
  data: { ...attributes, ...given },
});

export const created = createdAs({});
export const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId: 'first', owner: 'gateway-1', declaredSize: 512, store: 'file' },
};
export const staged: ImageEvent = { type: 'UploadStaged', data: { uploadId: 'first', size: 512 } };
export const aborted: ImageEvent = {
  type: 'UploadAborted',
  data: { uploadId: 'first', reason: 'client-gone', message: 'the client hung up' },
};
export const deactivated: ImageEvent = { type: 'ImageDeactivated', data: {} };
export const reactivated: ImageEvent = { type: 'ImageReactivated', data: {} };
export const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };

export const claimed = (epoch: number): ImageEvent => ({
  type: 'IngestClaimed',
  data: { uploadId: 'first', epoch, supersedes: epoch - 1, owner: `worker-${epoch}` },
});
export const released = (epoch: number): ImageEvent => ({
  type: 'IngestReleased',
  data: { uploadId: 'first', epoch },
});
export const failed: ImageEvent = {
  type: 'IngestFailed',
  data: { uploadId: 'first', epoch: 1, reason: 'format-refused', message: 'it is no qcow2' },
};

export const result: IngestResult = {
  stored: [{ store: 'file', key: 'image/first/1' }],
  digests: { md5: 'aa', sha512: 'bb' },
  algorithm: 'sha512',
  detected: 'qcow2',
  virtualSize: 4096,
};

/** What a finished ingest records, in one append. */
export const completed = (epoch: number): readonly ImageEvent[] => [
  {
    type: 'ImageDataStored',
    data: { uploadId: 'first', epoch, store: 'file', key: 'image/first/1', size: 512 },
  },
  {
    type: 'ImageDigested',
    data: { uploadId: 'first', digests: result.digests, algorithm: 'sha512' },
  },
  {
    type: 'DiskFormatInspected',
    data: { uploadId: 'first', declared: 'qcow2', detected: 'qcow2', virtualSize: 4096 },
  },
  { type: 'ImageActivated', data: { uploadId: 'first' } },
];

export const activated = [created, started, staged, claimed(1), ...completed(1)];

/** How an image comes to rest in each state. */
export const histories = {
  absent: [],
  queued: [created],
  saving: [created, started],
  staged: [created, started, staged],
  claimed: [created, started, staged, claimed(1)],
  active: activated,
  deactivated: [...activated, deactivated],
  deleted: [created, deleted],
} as const satisfies Record<string, readonly ImageEvent[]>;

export type History = keyof typeof histories;

export const stateAfter = (...events: readonly ImageEvent[]): Image =>
  events.reduce(image.evolve, image.initial);

export const location: ImportMethod = {
  name: 'location',
  locationId: 'location-1',
  store: 'web',
  url: 'https://images.example/one.qcow2',
  metadata: {},
  validation: null,
};

const importing = (method: ImportMethod) => ({
  uploadId: 'second',
  method,
  stores: ['file'],
  allStoresMustSucceed: true,
});

/** One of each thing that a caller may ask of an image that is there, members apart. */
export const asks = (by: Caller) =>
  ({
    UpdateImage: {
      type: 'UpdateImage',
      caller: by,
      operations: [{ kind: 'set', field: 'name', value: 'renamed' }],
    },
    AddTag: { type: 'AddTag', caller: by, tag: 'new' },
    RemoveTag: { type: 'RemoveTag', caller: by, tag: 'linux' },
    AddMember: { type: 'AddMember', caller: by, member: 'friends' },
    DeactivateImage: { type: 'DeactivateImage', caller: by },
    ReactivateImage: { type: 'ReactivateImage', caller: by },
    DeleteImage: { type: 'DeleteImage', caller: by },
    BeginUpload: {
      type: 'BeginUpload',
      caller: by,
      uploadId: 'second',
      owner: 'gateway-2',
      declaredSize: null,
      store: 'file',
    },
    BeginStaging: {
      type: 'BeginStaging',
      caller: by,
      uploadId: 'second',
      owner: 'gateway-2',
      declaredSize: null,
      store: 'file',
    },
    RequestImport: { type: 'RequestImport', caller: by, ...importing({ name: 'glance-direct' }) },
    RequestLocation: { type: 'RequestLocation', caller: by, ...importing(location) },
    RequestCopies: {
      type: 'RequestCopies',
      caller: by,
      missingOnly: false,
      ...importing({ name: 'copy-image' }),
    },
    RemoveCopy: { type: 'RemoveCopy', caller: by, store: 'file' },
  }) as const satisfies Omit<
    Record<CallerCommand['type'], CallerCommand>,
    'CreateImage' | 'SetMemberStatus' | 'RemoveMember'
  >;
