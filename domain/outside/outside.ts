import type { RecordedEvent } from '../event-log.ts';
import { isVisibleTo } from '../image/visibility.ts';
import { type Exposure, exposureOf } from './exposure.ts';
import { type Standing, standingAfter } from './standing.ts';

/** Who may read a fact beside administrators: every project, or those named. */
export type Readers = 'everyone' | readonly string[];

/** How a fact about an image, or a namespace, stands to the projects outside. */
export interface Outside {
  /** The owner once the fact had happened; null when there is none. */
  readonly projectId: string | null;
  /** The owner before, where the fact changed it. */
  readonly formerProjectId: string | null;
  readonly readers: Readers;
}

/**
 * Undefined for what stays inside. `before` is the standing that the stream's earlier events gave: what somebody may
 * read is settled when it happens, and no later change of owner or visibility gives or takes it.
 */
export function outsideOf(event: RecordedEvent, before: Standing | undefined): Outside | undefined {
  const exposure = exposureOf(event);
  if (exposure === 'inside') return undefined;
  const after = standingAfter(before, event);
  const projectId = after?.owner ?? null;
  const formerProjectId = before?.owner ?? null;
  return {
    projectId,
    formerProjectId: formerProjectId === projectId ? null : formerProjectId,
    readers: readersOf(
      event,
      exposure,
      [before, after].filter((side) => side !== undefined),
    ),
  };
}

function readersOf(
  event: RecordedEvent,
  exposure: Exclude<Exposure, 'inside'>,
  sides: readonly Standing[],
): Readers {
  const owners = sides.map(({ owner }) => owner);
  if (exposure === 'owner') return distinct(owners);
  if (exposure === 'party') return distinct([...owners, String(event.data.member)]);
  const there = sides.filter((side) => side.there);
  if (there.some(isThereForAll)) return 'everyone';
  return distinct([...owners, ...there.flatMap(sharedWith)]);
}

const isThereForAll = ({ owner, visibility }: Standing): boolean =>
  isVisibleTo({ owner, visibility }, { projectId: null, isAdmin: false });

const sharedWith = ({ visibility, members }: Standing): readonly string[] =>
  visibility === 'shared' ? members : [];

const distinct = (projects: readonly (string | null)[]): readonly string[] => [
  ...new Set(projects.filter((project) => project !== null)),
];
