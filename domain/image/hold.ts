import { HoldUnknown, held, type KnownHold } from '../hold/hold.ts';
import { Refused } from '../refused.ts';
import type { PipelineCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import type { Image } from './state.ts';

/** Of every image that is there, those that can still be restored among them. A repeat changes nothing. */
export function decideHold(
  command: PipelineCommand & { readonly type: 'PlaceHold' | 'LiftHold' },
  state: Image,
): readonly ImageEvent[] {
  if (state.status === 'absent' || state.status === 'deleted')
    throw new Refused('image-unknown', 'No image found');
  const from = state.hold ?? null;
  if (command.type === 'LiftHold')
    return from === null ? [] : [{ type: 'LegalHoldLifted', data: { reason: from } }];
  const { reason } = command;
  return reason === from ? [] : [{ type: 'LegalHoldPlaced', data: { reason, from } }];
}

/** Records it, in whatever status the image is. */
export function evolveHold(
  state: Image,
  event: ImageEvent & { readonly type: 'LegalHoldPlaced' | 'LegalHoldLifted' },
): Image {
  if (state.status === 'absent' || state.status === 'deleted') return state;
  if (event.type === 'LegalHoldPlaced') return { ...state, hold: event.data.reason };
  const { hold: _, ...rest } = state;
  return rest;
}

interface Owned {
  readonly owner: string | null;
  readonly hold?: string;
}

/**
 * Throws where the image is under a hold, or its project is. `known` is null where the decision is to be made again once the
 * project's hold is known, and undefined where nobody heeds those.
 */
export function requireNotHeld(image: Owned, known: KnownHold | null | undefined): void {
  if (image.hold !== undefined) throw held('The image', image.hold);
  requireProjectNotHeld(image, known);
}

/** Who takes an image out of a project takes it out of the project's hold. */
export function requireProjectNotHeld(
  { owner }: Pick<Owned, 'owner'>,
  known: KnownHold | null | undefined,
): void {
  if (owner === null || known === undefined) return;
  if (known?.projectId !== owner) throw new HoldUnknown(owner);
  if (known.reason !== null) throw held(`The project ${owner}`, known.reason);
}
