import { type Attributes, type Visibility, visibilities } from './attributes.ts';

/** What decides for whom an image is there. */
export type Seen = Pick<Attributes, 'owner' | 'visibility'> & {
  /** The projects that it is shared with, whatever their answer. */
  readonly members?: readonly { readonly projectId: string }[];
};

/** Who looks. */
export interface Viewer {
  readonly projectId: string | null;
  readonly isAdmin: boolean;
}

/** Members count only while the image is shared. */
export const isSharedWith = (image: Seen, projectId: string | null): boolean =>
  image.visibility === 'shared' &&
  (image.members ?? []).some((member) => member.projectId === projectId);

/** Whether the image exists at all for who looks (reference, section 5.1). No policy file changes that. */
export const isVisibleTo = (image: Seen, { projectId, isAdmin }: Viewer): boolean =>
  isAdmin ||
  image.owner === null ||
  image.visibility === 'public' ||
  image.visibility === 'community' ||
  image.owner === projectId ||
  isSharedWith(image, projectId);

/**
 * Who can see the image after a change of its owner or visibility, or of a namespace's: fewer than before, or more. What
 * takes it from somebody's sight is recorded before all else that one request changes, and what shows it to more
 * after, so that nobody is told of what it could not see.
 */
export function sightAfter({
  field,
  from,
  to,
}: {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}): 'fewer' | 'more' | 'same' {
  if (field === 'owner') return to === null ? 'more' : 'fewer';
  if (field !== 'visibility') return 'same';
  const openness = (visibility: unknown): number => visibilities.indexOf(visibility as Visibility);
  return openness(to) > openness(from) ? 'fewer' : 'more';
}
