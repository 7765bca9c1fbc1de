import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import type { Visibility } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { random } from '../projections/history.ts';
import { newEvent, plain, uuid } from '../projections/recorded.ts';

/** Names that an index or a subject could take for something else. */
export const projects = [
  'red',
  'blue',
  'red/0000000000000000007',
  '%2F',
  '*',
  'all',
  '_',
  'größe',
] as const;
const visibilities: readonly Visibility[] = ['public', 'community', 'shared', 'private'];

interface Living {
  readonly id: string;
  owner: string | null;
  visibility: Visibility;
  members: string[];
  revision: number;
  ended: boolean;
}

/** Facts about images that come, change hands and go, as any decider might have them. */
export function life(seed: number, mostAlive: number) {
  const next = random(seed);
  const one = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(next() * values.length)] as Value;
  const images: Living[] = [];
  let made = 0;

  const factAbout = (image: Living): ImageEvent => {
    const to = one([...projects, null]);
    const visibility = one(visibilities);
    const member = one(projects);
    const facts: ImageEvent[] = [
      { type: 'TagAdded', data: { tag: `tag ${made}` } },
      {
        type: 'UploadStarted',
        data: { uploadId: 'u', owner: 'gateway', declaredSize: null, store: 'file' },
      },
      { type: 'IngestClaimed', data: { uploadId: 'u', epoch: 1, supersedes: 0, owner: 'worker' } },
      {
        type: 'ImageUpdated',
        data: { changes: [{ field: 'owner', from: image.owner, to }], properties: [] },
      },
      {
        type: 'ImageUpdated',
        data: {
          changes: [],
          properties: [{ property: 'p', from: null, to: 'x'.repeat(Math.floor(next() * 900)) }],
        },
      },
      { type: 'VisibilityChanged', data: { from: image.visibility, to: visibility } },
      image.members.includes(member)
        ? { type: 'MemberRemoved', data: { member } }
        : { type: 'MemberAdded', data: { member } },
      ...(next() < 0.2 ? [{ type: 'ImageDeleted', data: {} } as const] : []),
    ];
    return one(facts);
  };

  const note = (image: Living, { type, data }: ImageEvent): void => {
    if (type === 'VisibilityChanged') image.visibility = data.to;
    if (type === 'MemberAdded') image.members.push(data.member);
    if (type === 'MemberRemoved')
      image.members = image.members.filter((member) => member !== data.member);
    if (type === 'ImageDeleted') image.ended = true;
    if (type === 'ImageUpdated' && data.changes[0]?.field === 'owner')
      image.owner = data.changes[0].to as string | null;
  };

  return {
    /** The next fact: its stream, the revision that it follows, and the event. */
    step(): { streamId: string; expected: number; event: NewEvent; ended: boolean } {
      made += 1;
      const seedOfEvent = `${seed} ${made}`;
      const alive = images.filter(({ ended }) => !ended);
      if (alive.length < mostAlive && (alive.length === 0 || next() < 0.3)) {
        const owner = one([...projects, null]);
        const visibility = one(visibilities);
        const id = uuid(`image ${seedOfEvent}`);
        images.push({ id, owner, visibility, members: [], revision: 0, ended: false });
        const data = { ...plain, owner, visibility };
        const event = newEvent({ type: 'ImageCreated', data }, seedOfEvent);
        return { streamId: `image-${id}`, expected: -1, event, ended: false };
      }
      const image = one(alive);
      const fact = factAbout(image);
      note(image, fact);
      image.revision += 1;
      return {
        streamId: `image-${image.id}`,
        expected: image.revision - 1,
        event: newEvent(fact, seedOfEvent),
        ended: image.ended,
      };
    },
    /** So many facts into a log, and the ends of images in full: their bytes go, too. */
    async goOn(log: Pick<EventLog, 'append'>, count: number): Promise<void> {
      for (let done = 0; done < count; done += 1) {
        const { streamId, expected, event, ended } = this.step();
        await log.append(streamId, [event], expected);
        if (!ended) continue;
        const removed = newEvent({ type: 'ImageDataRemoved', data: {} }, `${event.id} removed`);
        await log.append(streamId, [removed], expected + 1);
      }
    },
    images: (): readonly string[] => images.map(({ id }) => id),
  };
}
