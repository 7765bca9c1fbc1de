import type { Decider } from '../decider.ts';
import { parsePolicy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';
import { type Access, access, type Rule } from './access.ts';
import { defaultLimits, type ImageLimits } from './attributes.ts';
import { decideCreation, decideUpdate, type Grounds } from './change.ts';
import type { CallerCommand, ImageCommand, PipelineCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import { decideAddition, decideOnMember } from './members.ts';
import { absent, evolve, type Image, maxDeadClaims, type Upload } from './state.ts';

type Existing = Exclude<Image, { status: 'absent' | 'deleted' }>;

const unknown = () => new Refused('image-unknown', 'No image found');

/** The rule that a caller's command needs, which its events name. */
export const ruleOf = {
  CreateImage: 'add_image',
  UpdateImage: 'modify_image',
  AddTag: 'modify_image',
  RemoveTag: 'modify_image',
  AddMember: 'add_member',
  SetMemberStatus: 'modify_member',
  RemoveMember: 'delete_member',
  DeactivateImage: 'deactivate',
  ReactivateImage: 'reactivate',
  DeleteImage: 'delete_image',
  BeginUpload: 'upload_image',
} as const satisfies Record<CallerCommand['type'], Rule>;

export type ImageDecider = Decider<Image, ImageCommand, ImageEvent>;

/**
 * The image state machine (reference, section 4) and the fences of the ingest pipeline:
 *
 *     absent → queued → saving → active ↔ deactivated        any → deleted
 *                ↑         │
 *                └─────────┘  UploadAborted (before UploadStaged), IngestFailed (after it)
 *
 * Within `saving`, an upload is received (until `UploadStaged`), then waits, then is claimed with epoch 1, 2 …; only
 * the newest claim's results count, and whoever claims names the epoch that it saw.
 */
export const imageDecider = (limits: ImageLimits, access: Access): ImageDecider => ({
  initial: absent,
  evolve,
  decide(command, state) {
    switch (command.type) {
      case 'CreateImage':
        return decideCreation(command, state, { limits, access });
      case 'CompleteUpload':
      case 'AbortUpload':
      case 'ClaimIngest':
      case 'ReleaseIngest':
      case 'CompleteIngest':
      case 'FailIngest':
      case 'RecordDataRemoved':
        return decideForPipeline(command, state);
      default: {
        access.requireProjectScope(ruleOf[command.type], command.caller);
        if (state.status === 'absent' || state.status === 'deleted') throw unknown();
        if (command.type === 'SetMemberStatus' || command.type === 'RemoveMember')
          return decideOnMember(command, state, access);
        access.authorize(ruleOf[command.type], state, command.caller);
        return decideForCaller(command, state, { limits, access });
      }
    }
  },
});

/** The image decider with Glance's own limits and policy. */
export const image = imageDecider(defaultLimits, access(parsePolicy(null)));

function decideForCaller(
  command: Exclude<CallerCommand, { type: 'CreateImage' | 'SetMemberStatus' | 'RemoveMember' }>,
  state: Existing,
  grounds: Grounds,
): readonly ImageEvent[] {
  switch (command.type) {
    case 'UpdateImage':
      return decideUpdate(command, state, grounds);
    case 'AddTag':
      return decideUpdate(
        {
          ...command,
          operations: [{ kind: 'set', field: 'tags', value: withTag(state.tags, command.tag) }],
        },
        state,
        grounds,
      );
    case 'RemoveTag':
      if (!state.tags.includes(command.tag))
        throw new Refused('tag-missing', `Tag ${command.tag} not found on the image`);
      return [{ type: 'TagRemoved', data: { tag: command.tag } }];
    case 'AddMember':
      return decideAddition(command, state, grounds.limits.members);
    case 'DeactivateImage':
      if (state.status === 'deactivated') return []; // Glance answers 204 to a repeat
      if (state.status !== 'active')
        throw new Refused(
          'image-not-active',
          `Not allowed to deactivate image in status '${state.status}'`,
        );
      return [{ type: 'ImageDeactivated', data: {} }];
    case 'ReactivateImage':
      if (state.status === 'active') return [];
      if (state.status !== 'deactivated')
        throw new Refused(
          'image-not-active',
          `Not allowed to reactivate image in status '${state.status}'`,
        );
      return [{ type: 'ImageReactivated', data: {} }];
    case 'DeleteImage':
      if (state.protected)
        throw new Refused('image-protected', 'Image is protected and cannot be deleted.');
      return [{ type: 'ImageDeleted', data: {} }];
    case 'BeginUpload':
      return decideBegin(command, state);
  }
}

const withTag = (tags: readonly string[], tag: string): readonly string[] =>
  tags.includes(tag) ? tags : [...tags, tag];

function decideBegin(
  command: CallerCommand & { type: 'BeginUpload' },
  state: Existing,
): readonly ImageEvent[] {
  const { uploadId, owner, declaredSize, store } = command;
  if (state.status === 'saving' && state.upload.uploadId === uploadId) return [];
  if (state.status !== 'queued')
    throw new Refused(
      'image-not-queued',
      `Image status transition from ${state.status} to saving is not allowed`,
    );
  for (const field of ['diskFormat', 'containerFormat'] as const)
    if (state[field] === null) {
      const name = field === 'diskFormat' ? 'disk_format' : 'container_format';
      throw new Refused('formats-missing', `Properties ${name} must be set prior to saving data.`);
    }
  return [{ type: 'UploadStarted', data: { uploadId, owner, declaredSize, store } }];
}

function decideForPipeline(command: PipelineCommand, state: Image): readonly ImageEvent[] {
  switch (command.type) {
    case 'CompleteUpload': {
      const upload = openUpload(state, command.uploadId);
      if (upload.stagedSize !== null) return [];
      const { uploadId, size } = command;
      return [{ type: 'UploadStaged', data: { uploadId, size } }];
    }
    case 'AbortUpload': {
      if (state.status !== 'saving' || state.upload.uploadId !== command.uploadId) return [];
      if (state.upload.stagedSize !== null)
        throw new Refused('upload-ended', 'the upload is complete: only its ingest can end it now');
      const { uploadId, reason, message } = command;
      return [{ type: 'UploadAborted', data: { uploadId, reason, message } }];
    }
    case 'ClaimIngest':
      return decideClaim(command, state);
    case 'ReleaseIngest': {
      const { uploadId, epoch } = command;
      claimedUpload(state, uploadId, epoch);
      return [{ type: 'IngestReleased', data: { uploadId, epoch } }];
    }
    case 'CompleteIngest': {
      const { uploadId, epoch, result } = command;
      const { store, size } = claimedUpload(state, uploadId, epoch);
      const { key, digests, algorithm, detected, virtualSize } = result;
      const declared = 'diskFormat' in state && state.diskFormat !== null ? state.diskFormat : '';
      return [
        { type: 'ImageDataStored', data: { uploadId, epoch, store, key, size } },
        { type: 'ImageDigested', data: { uploadId, digests, algorithm } },
        { type: 'DiskFormatInspected', data: { uploadId, declared, detected, virtualSize } },
        { type: 'ImageActivated', data: { uploadId } },
      ];
    }
    case 'FailIngest': {
      const { uploadId, epoch, reason, message } = command;
      claimedUpload(state, uploadId, epoch);
      return [{ type: 'IngestFailed', data: { uploadId, epoch, reason, message } }];
    }
    case 'RecordDataRemoved':
      return state.status === 'deleted' && !state.dataRemoved
        ? [{ type: 'ImageDataRemoved', data: {} }]
        : [];
  }
}

function decideClaim(
  { uploadId, supersedes, owner }: PipelineCommand & { type: 'ClaimIngest' },
  state: Image,
): readonly ImageEvent[] {
  const upload = openUpload(state, uploadId);
  if (upload.stagedSize === null || upload.epoch !== supersedes)
    throw new Refused(
      'claim-superseded',
      `upload ${uploadId} is not waiting at epoch ${supersedes}`,
    );
  const deadClaims = upload.deadClaims + (upload.claimedBy === null ? 0 : 1);
  const epoch = supersedes + 1;
  if (deadClaims < maxDeadClaims)
    return [{ type: 'IngestClaimed', data: { uploadId, epoch, supersedes, owner } }];
  const message = `${deadClaims} workers died while they worked on this upload; it was given up`;
  return [{ type: 'IngestFailed', data: { uploadId, epoch, reason: 'workers-died', message } }];
}

function openUpload(state: Image, uploadId: string): Upload {
  if (state.status === 'saving' && state.upload.uploadId === uploadId) return state.upload;
  throw new Refused('upload-ended', `upload ${uploadId} is over: the image is ${state.status}`);
}

/** The upload, if `epoch` is its newest claim: anybody else's results are a zombie's. */
function claimedUpload(
  state: Image,
  uploadId: string,
  epoch: number,
): Upload & { readonly stagedSize: number; readonly size: number } {
  const upload = openUpload(state, uploadId);
  if (upload.epoch !== epoch || upload.claimedBy === null || upload.stagedSize === null)
    throw new Refused(
      'claim-superseded',
      `epoch ${epoch} of upload ${uploadId} is not the current claim`,
    );
  return { ...upload, stagedSize: upload.stagedSize, size: upload.stagedSize };
}
