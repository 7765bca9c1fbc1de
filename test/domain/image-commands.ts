import fc from 'fast-check';
import { memberStatuses } from '../../domain/image/attributes.ts';
import type { ImageCommand, PatchOperation } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import type { Image } from '../../domain/image/state.ts';
import { Refused } from '../../domain/refused.ts';
import { admin, attributes, result } from './fixtures.ts';

const caller = fc.constant(admin);
const uploadId = fc.constantFrom('first', 'second');
const name = fc.constantFrom('a', 'b', '__proto__');
const names = fc.uniqueArray(name);
const epoch = fc.integer({ min: 0, max: 7 });

const operation: fc.Arbitrary<PatchOperation> = fc.oneof(
  fc.record({ kind: fc.constant('set'), field: fc.constant('name'), value: name } as const),
  fc.record({ kind: fc.constant('set'), field: fc.constant('tags'), value: names } as const),
  fc.record({
    kind: fc.constant('set'),
    field: fc.constant('protected'),
    value: fc.boolean(),
  } as const),
  fc.record({
    kind: fc.constant('add-property'),
    property: name,
    value: name,
    overwrite: fc.boolean(),
  } as const),
  fc.record({ kind: fc.constant('replace-property'), property: name, value: name } as const),
  fc.record({ kind: fc.constant('remove-property'), property: name } as const),
);

const ask = <Type extends ImageCommand['type'], Rest>(
  type: Type,
  rest: { [Key in keyof Rest]: fc.Arbitrary<Rest[Key]> },
) => fc.record({ type: fc.constant(type), ...rest });

/** A command as written down; an epoch of -1 is the newest one at the time. */
const asked = fc.oneof(
  { weight: 1, arbitrary: ask('DeleteImage', { caller }) },
  {
    weight: 3,
    arbitrary: ask('CreateImage', {
      caller,
      attributes: fc
        .record({
          tags: names,
          diskFormat: fc.constantFrom('raw', 'raw', 'raw', null),
        })
        .map((given) => ({ ...attributes, ...given })),
    }),
  },
  {
    weight: 4,
    arbitrary: ask('UpdateImage', { caller, operations: fc.array(operation, { maxLength: 4 }) }),
  },
  { weight: 2, arbitrary: ask('AddTag', { caller, tag: name }) },
  { weight: 2, arbitrary: ask('RemoveTag', { caller, tag: name }) },
  { weight: 2, arbitrary: ask('AddMember', { caller, member: name }) },
  { weight: 2, arbitrary: ask('RemoveMember', { caller, member: name }) },
  {
    weight: 2,
    arbitrary: ask('SetMemberStatus', {
      caller,
      member: name,
      status: fc.constantFrom(...memberStatuses),
    }),
  },
  { weight: 2, arbitrary: ask('DeactivateImage', { caller }) },
  { weight: 2, arbitrary: ask('ReactivateImage', { caller }) },
  {
    weight: 6,
    arbitrary: ask('BeginUpload', {
      caller,
      uploadId,
      owner: fc.constant('gateway'),
      declaredSize: fc.constant(null),
      store: fc.constant('file'),
    }),
  },
  { weight: 6, arbitrary: ask('CompleteUpload', { uploadId, size: fc.nat(99) }) },
  {
    weight: 2,
    arbitrary: ask('AbortUpload', {
      uploadId,
      reason: fc.constant('client-gone'),
      message: fc.constant('gone'),
    }),
  },
  {
    weight: 16,
    arbitrary: ask('ClaimIngest', {
      uploadId,
      supersedes: fc.oneof(fc.constant(-1), epoch),
      owner: name,
    }),
  },
  {
    weight: 2,
    arbitrary: ask('ReleaseIngest', { uploadId, epoch: fc.oneof(fc.constant(-1), epoch) }),
  },
  {
    weight: 4,
    arbitrary: ask('CompleteIngest', {
      uploadId,
      epoch: fc.oneof(fc.constant(-1), epoch),
      result: name.map((key) => ({ ...result, key })),
    }),
  },
  {
    weight: 1,
    arbitrary: ask('FailIngest', {
      uploadId,
      epoch: fc.oneof(fc.constant(-1), epoch),
      reason: fc.constant('store-full'),
      message: fc.constant('full'),
    }),
  },
  { weight: 1, arbitrary: ask('RecordDataRemoved', {}) },
) as fc.Arbitrary<ImageCommand>;

/** An upload whose workers all die: too many claims in a row for chance alone to have them in every campaign. */
const deaths = fc
  .tuple(uploadId, fc.array(name, { minLength: 6, maxLength: 6 }))
  .map(([uploadId, owners]): readonly ImageCommand[] => [
    {
      type: 'BeginUpload',
      caller: admin,
      uploadId,
      owner: 'gateway',
      declaredSize: null,
      store: 'file',
    },
    { type: 'CompleteUpload', uploadId, size: 1 },
    ...owners.map((owner) => ({ type: 'ClaimIngest', uploadId, supersedes: -1, owner }) as const),
  ]);

/** What is asked of one image, one command after the other. */
export const askedInTurn: fc.Arbitrary<readonly ImageCommand[]> = fc
  .array(
    fc.oneof(
      { weight: 40, arbitrary: asked.map((command): readonly ImageCommand[] => [command]) },
      { weight: 1, arbitrary: deaths },
    ),
    { maxLength: 80, size: 'max' },
  )
  .map((pieces) => pieces.flat());

export function newest(command: ImageCommand, state: Image): ImageCommand {
  const current = state.status === 'saving' ? state.upload.epoch : 0;
  if ('epoch' in command && command.epoch === -1) return { ...command, epoch: current };
  if ('supersedes' in command && command.supersedes === -1)
    return { ...command, supersedes: current };
  return command;
}

export function decided(command: ImageCommand, state: Image): readonly ImageEvent[] | 'refused' {
  try {
    return image.decide(command, state);
  } catch (error) {
    if (error instanceof Refused) return 'refused';
    throw error;
  }
}
