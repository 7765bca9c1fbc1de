import type { Access } from '../../domain/image/access.ts';
import type { PatchOperation } from '../../domain/image/commands.ts';
import { Refused } from '../../domain/refused.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import type { Call } from './call.ts';
import type { Locator } from './locator.ts';
import type { AskedOperation } from './wire/json-patch.ts';
import type { LocationAsk } from './wire/locations.ts';

const isOfLocations = (operation: AskedOperation): operation is LocationAsk =>
  operation.kind === 'ask-add' ||
  operation.kind === 'ask-replace' ||
  operation.kind === 'ask-remove';

/** Only what concerns no location needs no look at the image before it is decided. */
export const withoutLocations = (
  asked: readonly AskedOperation[],
): readonly PatchOperation[] | undefined => {
  const plain = asked.filter((operation) => !isOfLocations(operation));
  return plain.length === asked.length ? plain : undefined;
};

/** Most URLs that one patch may have looked at where the operator sets no quota. */
const mostLooks = 100;

/**
 * Looks at the locations of a patch, for callers who may change them and while they can be changed: nobody else makes
 * this service ask anything of anybody. All of it is decided again on the image's stream.
 */
export async function lookedAt(
  asked: readonly AskedOperation[],
  record: ImageRecord,
  call: Call,
  {
    access,
    areShown,
    locator,
    quota,
  }: {
    readonly access: Access;
    readonly areShown: boolean;
    readonly locator: Locator;
    readonly quota: number;
  },
): Promise<readonly PatchOperation[]> {
  const { caller } = call;
  access.authorize('modify_image', record, caller);
  if (!areShown)
    throw new Refused(
      'not-allowed',
      "It's not allowed to add, replace or remove locations if locations are invisible.",
    );
  const asks = asked.filter(isOfLocations);
  for (const { kind } of asks)
    access.authorize(
      kind === 'ask-remove' ? 'delete_image_location' : 'set_image_location',
      record,
      caller,
    );
  if (record.status !== 'queued' && record.status !== 'active')
    throw new Refused(
      'wrong-status',
      `It's not allowed to change locations if the image is ${record.status}.`,
    );
  const looks = asks.flatMap((ask) =>
    ask.kind === 'ask-add' ? [ask.location] : ask.kind === 'ask-replace' ? ask.locations : [],
  );
  const most = quota < 0 ? mostLooks : quota;
  if (looks.length > most)
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the number of allowed image locations. Attempted: ${looks.length}, Maximum: ${most}`,
    );
  const operations: PatchOperation[] = [];
  for (const operation of asked)
    operations.push(
      isOfLocations(operation) ? await locator.located(operation, record) : operation,
    );
  return operations;
}
