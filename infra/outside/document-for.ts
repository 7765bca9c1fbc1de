import type { Viewer } from '../../domain/image/visibility.ts';
import type { Told } from '../../projections/events/events.ts';
import { type CloudEvent, cloudEventOf, withoutTrace } from './cloud-event.ts';
import { propertiesIn, withoutProperties } from './properties.ts';

/** Who reads documents. */
export interface Reader extends Viewer {
  /** Whether the operator's property protections let it see a custom property of images. */
  readonly isReadable: (property: string) => boolean;
}

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

/** Which custom properties of a document are not for a reader. */
export const hiddenIn = (document: CloudEvent, { isReadable }: Reader): readonly string[] =>
  propertiesIn(document).filter((property) => !isReadable(property));

export function documentFor(told: Told, reader: Reader, region: string): CloudEvent {
  const document = documentOf(told, region);
  const shown = withoutProperties(document, hiddenIn(document, reader));
  return isTraceFor(told, reader) ? shown : withoutTrace(shown);
}
