import type { Decider } from '../decider.ts';
import { parsePolicy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';
import { guardReservation } from './abandonment.ts';
import { type Access, access, type Rule } from './access.ts';
import { defaultLimits, type ImageLimits } from './attributes.ts';
import { decideCreation, decideUpdate, type Grounds } from './change.ts';
import type { CallerCommand, ImageCommand } from './commands.ts';
import { decideDeletion } from './deletion.ts';
import type { ImageEvent } from './events.ts';
import { evolve } from './evolve.ts';
import { decideBegin, decideImport } from './filling.ts';
import { decideRemovalOfCopy } from './locations.ts';
import { decideAddition, decideOnMember } from './members.ts';
import { decideForPipeline } from './pipeline.ts';
import { absent, type Existing, type Image, isThere } from './state.ts';

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
  BeginStaging: 'modify_image',
  RequestImport: 'modify_image',
  RequestLocation: 'add_image_location',
  RequestCopies: 'copy_image',
  RemoveCopy: 'delete_image_location',
} as const satisfies Record<CallerCommand['type'], Rule>;

export type ImageDecider = Decider<Image, ImageCommand, ImageEvent>;

/**
 * The image state machine (reference, section 4) and the fences of the ingest pipeline:
 *
 *     absent → queued ─────────────▶ saving ────▶ active ↔ deactivated ──▶ pending_delete
 *               │  ├─▶ uploading ─┐              ▲   │ ▲                          │ ▲
 *               │  └──────────────┴─▶ importing ─┘   └─┼──────────────────────────┘ │
 *               └── (a location, unchecked) ───────────┘        ImageRestored ──────┘   any → deleted
 *
 *     back to queued: UploadAborted (while bytes arrive, or when a staged image waited too long), IngestFailed
 *
 * Within an attempt bytes are received (until `UploadStaged`), or an import is requested, then it waits, then it is
 * claimed with epoch 1, 2 …; only the newest claim's results count, and whoever claims names the epoch that it saw. An
 * image has one attempt at a time.
 *
 * A download is claimed before there are bytes (until `ImportFetched`); copies are made of an image that is active and
 * stays so. Each of several stores is recorded when it has the bytes, and counts for the claims that follow: the image is
 * active with the last one, or with the first where one is enough, and the import is over with the last one that was tried.
 */
export const imageDecider = (limits: ImageLimits, access: Access): ImageDecider => ({
  initial: absent,
  evolve,
  decide(command, state) {
    guardReservation(command, state);
    switch (command.type) {
      case 'CreateImage':
        return decideCreation(command, state, { limits, access });
      case 'CompleteUpload':
      case 'AbortUpload':
      case 'ClaimIngest':
      case 'ReleaseIngest':
      case 'CompleteIngest':
      case 'FailIngest':
      case 'RecordCopies':
      case 'RecordStoreFailure':
      case 'RecordAdvance':
      case 'CompleteFetch':
      case 'DescribeImport':
      case 'CompleteLocation':
      case 'RecordDigests':
      case 'ScrubImage':
      case 'RestoreImage':
      case 'PlaceHold':
      case 'LiftHold':
      case 'AbandonReservation':
      case 'RecordDataRemoved':
        return decideForPipeline(command, state, limits);
      default: {
        access.requireProjectScope(ruleOf[command.type], command.caller);
        if (!isThere(state)) throw unknown();
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
      return decideDeletion(command, state);
    case 'BeginUpload':
    case 'BeginStaging':
      return decideBegin(command, state);
    case 'RequestImport':
    case 'RequestLocation':
    case 'RequestCopies':
      return decideImport(command, state);
    case 'RemoveCopy':
      return decideRemovalOfCopy(command, state, grounds.access);
  }
}

const withTag = (tags: readonly string[], tag: string): readonly string[] =>
  tags.includes(tag) ? tags : [...tags, tag];
