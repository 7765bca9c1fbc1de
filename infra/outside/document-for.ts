import type { Viewer } from '../../domain/image/visibility.ts';
import type { Told } from '../../projections/events/events.ts';
import { type CloudEvent, cloudEventOf, withoutTrace } from './cloud-event.ts';

/** The whole document of a fact. */
export function documentOf({ event, ...outside }: Told, region: string): CloudEvent {
  const document = cloudEventOf(event, { ...outside, region });
  if (document === undefined) throw new Error(`${event.type} stays inside, yet it is told`);
  return document;
}

/** By whom, and by which request, is for the owner and for administrators. */
export const isTraceFor = (
  { projectId, formerProjectId }: Pick<Told, 'projectId' | 'formerProjectId'>,
  viewer: Viewer,
): boolean =>
  viewer.isAdmin ||
  (viewer.projectId !== null && [projectId, formerProjectId].includes(viewer.projectId));

export const documentFor = (told: Told, viewer: Viewer, region: string): CloudEvent => {
  const document = documentOf(told, region);
  return isTraceFor(told, viewer) ? document : withoutTrace(document);
};
