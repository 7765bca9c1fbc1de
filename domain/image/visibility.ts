import type { Attributes } from './attributes.ts';

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
