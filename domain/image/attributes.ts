/** Who may see an image beside its owner (Image API v2, "visibility"). */
export type Visibility = 'public' | 'community' | 'shared' | 'private';
export const visibilities: readonly Visibility[] = ['public', 'community', 'shared', 'private'];

/** What a client says of an image. */
export interface Attributes {
  readonly name: string | null;
  /** Project id. An image without one is everybody's to see and administrators' to change. */
  readonly owner: string | null;
  readonly visibility: Visibility;
  /** A protected image cannot be deleted. */
  readonly protected: boolean;
  /** Hidden from default listings only (`os_hidden`). */
  readonly hidden: boolean;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  /** GiB. */
  readonly minDisk: number;
  /** MiB. */
  readonly minRam: number;
  /** A set, in the order of their first mention. */
  readonly tags: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
}

/** Attributes that a change replaces whole; tags and properties change one by one. */
export type AttributeField = Exclude<keyof Attributes, 'properties'>;

/** What a project says to an image that was shared with it. */
export type MemberStatus = 'pending' | 'accepted' | 'rejected';
export const memberStatuses: readonly MemberStatus[] = ['pending', 'accepted', 'rejected'];

/** A project that an image is shared with. */
export interface Member {
  readonly projectId: string;
  readonly status: MemberStatus;
}

/** How many of each an image may carry; a negative number is no limit. */
export interface ImageLimits {
  readonly properties: number;
  readonly tags: number;
  readonly members: number;
  readonly locations: number;
}

/** Glance's defaults (reference, "Quotas and limits"). */
export const defaultLimits: ImageLimits = {
  properties: 128,
  tags: 128,
  members: 128,
  locations: 10,
};

/** In characters; the API's own bound for it, whoever names it. */
export const maxOwnerLength = 255;

/** Of one property's value, in bytes of UTF-8: what Glance's own database holds. */
export const maxPropertyValueBytes = 65_535;

/** Of all names and values together, in bytes of UTF-8. An image is read and written whole. */
export const maxPropertiesBytes = 1024 * 1024;
