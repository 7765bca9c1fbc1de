import { Refused } from '../refused.ts';
import type { CallerCommand, PipelineCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import { requireNotHeld } from './hold.ts';
import type { Existing, Image } from './state.ts';

/** Where deletion is delayed, what has bytes is kept for a while; the rest goes at once. */
export function decideDeletion(
  { keepUntil, projectHold }: CallerCommand & { readonly type: 'DeleteImage' },
  state: Existing,
): readonly ImageEvent[] {
  if (state.protected)
    throw new Refused('image-protected', 'Image is protected and cannot be deleted.');
  requireNotHeld(state, projectHold);
  const ended = state.upload === null ? {} : { uploadId: state.upload.uploadId };
  return keepUntil !== undefined && 'content' in state
    ? [{ type: 'ImageDeletionScheduled', data: { dueAt: keepUntil, ...ended } }]
    : [{ type: 'ImageDeleted', data: ended }];
}

/** The end of a delayed deletion, which a legal hold puts off. A repeat changes nothing. */
export function decideScrub(
  { at, projectHold }: PipelineCommand & { readonly type: 'ScrubImage' },
  state: Image,
): readonly ImageEvent[] {
  if (state.status !== 'pending_delete' || Date.parse(at) < Date.parse(state.dueAt)) return [];
  requireNotHeld(state, projectHold);
  return [{ type: 'ImageDeleted', data: {} }];
}

/** Brings an image back as it was: one that was deactivated stays so. */
export function decideRestore(state: Image): readonly ImageEvent[] {
  if (state.status === 'pending_delete') return [{ type: 'ImageRestored', data: {} }];
  if (state.status === 'absent') throw new Refused('image-unknown', 'There is no such image.');
  throw new Refused(
    'wrong-status',
    `The image is ${state.status}: only what is pending_delete can be restored.`,
  );
}
