import { Refused } from '../refused.ts';
import type { CallerCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import type { Existing } from './state.ts';

/** Takes the image out of one store (reference, section 15). The last copy stays: its bytes are the image. */
export function decideRemovalOfCopy(
  { store }: CallerCommand & { readonly type: 'RemoveCopy' },
  state: Existing,
): readonly ImageEvent[] {
  if (state.status !== 'active')
    throw new Refused('wrong-status', `The image is ${state.status}: it must be active.`);
  const { locations } = state.content;
  const there = locations.filter((location) => location.store === store);
  if (there.length === 0)
    throw new Refused('copy-unknown', `The image is not in the store ${store}.`);
  if (there.length === locations.length)
    throw new Refused('last-location', 'The only copy of an image cannot be removed.');
  return there.map(({ id }) => ({ type: 'LocationRemoved', data: { locationId: id, store } }));
}
