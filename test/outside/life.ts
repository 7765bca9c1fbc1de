import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import type { Visibility } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { noDefinitions } from '../../domain/metadef/content.ts';
import type { NamespaceEvent } from '../../domain/metadef/events.ts';
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
  readonly kind: 'image' | 'metadef';
  readonly id: string;
  owner: string | null;
  visibility: Visibility;
  members: string[];
  revision: number;
  ended: boolean;
}

/** Facts about images and namespaces that come, change hands and go, as any decider might have them. */
export function life(seed: number, mostAlive: number) {
  const next = random(seed);
  const one = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(next() * values.length)] as Value;
  const all: Living[] = [];
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

  const factAboutNamespace = ({ owner, visibility }: Living): NamespaceEvent => {
    const to = one([...projects, null]);
    const now = visibility === 'public' ? 'private' : 'public';
    const from = visibility === 'public' ? 'public' : 'private';
    const facts: NamespaceEvent[] = [
      { type: 'MetadefTagAdded', data: { definition: { name: `tag ${made}` } } },
      { type: 'MetadefNameClaimAbandoned', data: { claimId: `claim ${made}` } },
      {
        type: 'MetadefNamespaceUpdated',
        data: { changes: [{ field: 'owner', from: owner, to }] },
      },
      {
        type: 'MetadefNamespaceUpdated',
        data: {
          changes: [
            { field: 'description', from: null, to: 'text' },
            { field: 'visibility', from, to: now },
          ],
        },
      },
      ...(next() < 0.2 ? [{ type: 'MetadefNamespaceDeleted', data: {} } as const] : []),
    ];
    return one(facts);
  };

  const note = (image: Living, { type, data }: ImageEvent | NamespaceEvent): void => {
    if (type === 'VisibilityChanged') image.visibility = data.to;
    if (type === 'MemberAdded') image.members.push(data.member);
    if (type === 'MemberRemoved')
      image.members = image.members.filter((member) => member !== data.member);
    if (type === 'ImageDeleted' || type === 'MetadefNamespaceDeleted') image.ended = true;
    if (type === 'MetadefNamespaceUpdated')
      for (const { field, to } of data.changes) {
        if (field === 'owner') image.owner = to;
        if (field === 'visibility') image.visibility = to;
      }
    if (type === 'ImageUpdated' && data.changes[0]?.field === 'owner')
      image.owner = data.changes[0].to as string | null;
  };

  const born = (id: string): Living => {
    const kind = next() < 0.25 ? 'metadef' : 'image';
    const visibility = one(kind === 'image' ? visibilities : (['public', 'private'] as const));
    const owner = one([...projects, null]);
    return { kind, id, owner, visibility, members: [], revision: 0, ended: false };
  };

  const birthOf = ({ kind, id, owner, visibility }: Living): ImageEvent | NamespaceEvent => {
    if (kind === 'image') return { type: 'ImageCreated', data: { ...plain, owner, visibility } };
    const attributes = { namespace: `named ${id}`, displayName: null, description: null };
    const shown = visibility === 'public' ? 'public' : 'private';
    return {
      type: 'MetadefNamespaceCreated',
      data: {
        ...attributes,
        visibility: shown,
        protected: false,
        owner,
        claimId: `claim ${id}`,
        definitions: noDefinitions,
      },
    };
  };

  const factOf = (
    { kind, id, revision, ended }: Living,
    fact: ImageEvent | NamespaceEvent,
    seedOfEvent: string,
  ) => ({
    streamId: `${kind}-${id}`,
    expected: revision - 1,
    event: newEvent(fact, seedOfEvent),
    ended,
  });

  return {
    /** The next fact: its stream, the revision that it follows, and the event. */
    step(): { streamId: string; expected: number; event: NewEvent; ended: boolean } {
      made += 1;
      const seedOfEvent = `${seed} ${made}`;
      const alive = all.filter(({ ended }) => !ended);
      if (alive.length < mostAlive && (alive.length === 0 || next() < 0.3)) {
        const living = born(uuid(`image ${seedOfEvent}`));
        all.push(living);
        return factOf(living, birthOf(living), seedOfEvent);
      }
      const living = one(alive);
      const fact = living.kind === 'image' ? factAbout(living) : factAboutNamespace(living);
      note(living, fact);
      living.revision += 1;
      return factOf(living, fact, seedOfEvent);
    },
    /** So many facts into a log, and the ends of images in full: their bytes go, too. */
    async goOn(log: Pick<EventLog, 'append'>, count: number): Promise<void> {
      for (let done = 0; done < count; done += 1) {
        const { streamId, expected, event, ended } = this.step();
        await log.append(streamId, [event], expected);
        if (!ended || !streamId.startsWith('image-')) continue;
        const removed = newEvent({ type: 'ImageDataRemoved', data: {} }, `${event.id} removed`);
        await log.append(streamId, [removed], expected + 1);
      }
    },
    images: (): readonly string[] => all.filter(({ kind }) => kind === 'image').map(({ id }) => id),
  };
}
