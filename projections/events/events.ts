import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Viewer } from '../../domain/image/visibility.ts';
import type { Outside } from '../../domain/outside/outside.ts';

/** A fact that is told outside, and how it stands there. */
export interface Told extends Outside {
  readonly event: RecordedEvent;
}

/** Which facts somebody asks for. Absent is any. */
export interface EventFilter {
  /** Facts about what this project owned just before or just after. */
  readonly project?: string | undefined;
  /** Id of an image. */
  readonly image?: string | undefined;
  /** Types as the log has them, one at least. */
  readonly types?: readonly string[] | undefined;
}

export interface EventQuery {
  readonly viewer: Viewer;
  readonly filter: EventFilter;
  /** Facts above this position … */
  readonly after: bigint;
  /** … and not above this one, which must be a checkpoint that was read before. */
  readonly upTo: bigint;
  /** Most facts that are wanted; fewer come when they are large. */
  readonly limit: number;
}

export interface EventPage {
  /** In position order. */
  readonly events: readonly Told[];
  /**
   * Where to go on: every fact up to here is in this page or was not asked for. `upTo` when that was reached. Above
   * `after` also when no fact was found, unless `upTo` is not.
   */
  readonly next: bigint;
}

/** The facts of the log that are told outside. */
export interface Events {
  page(query: EventQuery): Promise<EventPage>;
  /** Every fact up to here can be had, for ever. */
  checkpoint(): Promise<bigint>;
}

/** Whether a fact is for who asks, as settled when it happened. */
export function isToldTo({ readers }: Pick<Told, 'readers'>, viewer: Viewer): boolean {
  if (viewer.isAdmin || readers === 'everyone') return true;
  return viewer.projectId !== null && readers.includes(viewer.projectId);
}

export function isWanted(told: Told, { project, image, types }: EventFilter): boolean {
  if (project !== undefined && told.projectId !== project && told.formerProjectId !== project)
    return false;
  if (image !== undefined && told.event.streamId !== `image-${image}`) return false;
  return types === undefined || types.includes(told.event.type);
}
