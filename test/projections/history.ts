import type { EventLog } from '../../domain/event-log.ts';
import type { Caller } from '../../domain/image/access.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import { image } from '../../domain/image/image.ts';
import { absent, type Image } from '../../domain/image/state.ts';
import { Refused } from '../../domain/refused.ts';
import { newEvent, plain, uuid } from './recorded.ts';

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const caller: Caller = { userId: 'user', projectId: 'project-a', roles: ['admin'] };

interface Living {
  readonly id: string;
  state: Image;
  revision: number;
}

/** Images that come, change and go in a log, one random command at a time, as the decider allows. */
export function history(log: Pick<EventLog, 'append'>, seed: number, mostAlive: number) {
  const next = random(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const one = <Value>(values: readonly [Value, ...Value[]]): Value =>
    values[below(values.length)] ?? values[0];
  const images: Living[] = [];
  let alive = 0;
  let steps = 0;

  const commandFor = ({ state }: Living): ImageCommand => {
    const upload = state.status === 'saving' ? state.upload : undefined;
    const uploadId = upload?.uploadId ?? uuid(`upload ${seed} ${steps}`);
    const epoch = upload?.epoch ?? 0;
    const property = `property-${below(4)}`;
    const commands: [ImageCommand, ...ImageCommand[]] = [
      { type: 'AddTag', caller, tag: `tag-${below(5)}` },
      { type: 'RemoveTag', caller, tag: `tag-${below(5)}` },
      {
        type: 'UpdateImage',
        caller,
        operations: [
          { kind: 'set', field: 'name', value: one([null, 'a', 'b', 'Ä', '']) },
          {
            kind: 'set',
            field: 'visibility',
            value: one(['public', 'community', 'shared', 'private']),
          },
          { kind: 'set', field: 'owner', value: one(['project-a', 'project-b', null]) },
          { kind: 'set', field: 'minRam', value: below(3) },
          next() < 0.5
            ? { kind: 'add-property', property, value: `value-${below(3)}`, overwrite: true }
            : { kind: 'remove-property', property },
        ],
      },
      { type: 'AddMember', caller, member: `project-${below(4)}` },
      { type: 'RemoveMember', caller, member: `project-${below(4)}` },
      {
        type: 'SetMemberStatus',
        caller,
        member: `project-${below(4)}`,
        status: one(['pending', 'accepted', 'rejected']),
      },
      { type: 'DeactivateImage', caller },
      { type: 'ReactivateImage', caller },
      {
        type: 'BeginUpload',
        caller,
        uploadId,
        owner: `gateway-${below(2)}`,
        declaredSize: null,
        store: 'file',
      },
      { type: 'CompleteUpload', uploadId, size: below(1000) },
      { type: 'AbortUpload', uploadId, reason: 'client-gone', message: `gone at ${steps}` },
      { type: 'ClaimIngest', uploadId, supersedes: epoch, owner: `worker-${below(3)}` },
      { type: 'ReleaseIngest', uploadId, epoch },
      { type: 'FailIngest', uploadId, epoch, reason: 'format-refused', message: `no: ${steps}` },
      {
        type: 'CompleteIngest',
        uploadId,
        epoch,
        result: {
          stored: [{ store: 'file', key: `${uploadId}/${epoch}` }],
          digests: { md5: `md5 ${steps}`, sha512: `sha512 ${steps}` },
          algorithm: 'sha512',
          detected: 'qcow2',
          virtualSize: one([null, 2 ** 40 + steps]),
        },
      },
      next() < 0.3 ? { type: 'DeleteImage', caller } : { type: 'AddTag', caller, tag: 'kept' },
      { type: 'RecordDataRemoved' },
    ];
    return one(commands);
  };

  const create = (): Living => {
    const living = { id: uuid(`image ${seed} ${images.length}`), state: absent, revision: -1 };
    images.push(living);
    return living;
  };

  return {
    /** Appends the events of at least `count` commands that were not refused. */
    async goOn(count: number): Promise<void> {
      for (let done = 0; done < count; ) {
        steps += 1;
        const fresh = alive === 0 || (alive < mostAlive && next() < 0.15);
        const living = fresh ? create() : (images[below(images.length)] ?? create());
        const command: ImageCommand = fresh
          ? { type: 'CreateImage', caller, attributes: { ...plain, name: `image ${steps}` } }
          : commandFor(living);
        const events = decided(command, living.state).map((event, index) => ({
          event,
          stored: newEvent(event, `${seed} ${steps} ${index}`),
        }));
        if (events.length === 0) continue;
        await log.append(
          `image-${living.id}`,
          events.map(({ stored }) => stored),
          living.revision,
        );
        living.revision += events.length;
        if (command.type === 'CreateImage') alive += 1;
        if (command.type === 'DeleteImage') alive -= 1;
        living.state = events.reduce(
          (state, { event }) => image.evolve(state, event),
          living.state,
        );
        done += 1;
      }
    },
  };
}

function decided(command: ImageCommand, state: Image) {
  try {
    return image.decide(command, state);
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}
