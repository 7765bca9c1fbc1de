import type { Attributes } from '../image/attributes.ts';
import { isSharedWith, type Seen } from '../image/visibility.ts';
import type { Json } from '../json.ts';
import type { PolicyAttributes } from './evaluate.ts';

/** Who asks. Role names are lower case, implied roles included. */
export interface PolicyCaller {
  readonly userId: string | null;
  readonly projectId: string | null;
  readonly roles: readonly string[];
  readonly userDomainId?: string | null;
  readonly projectDomainId?: string | null;
  /** Of a domain-scoped token. */
  readonly domainId?: string | null;
  /** `all` of a system-scoped token. */
  readonly systemScope?: string | null;
  /** Roles of the service token beside the user's. */
  readonly serviceRoles?: readonly string[];
  readonly isAdminProject?: boolean;
}

/** A caller by the names of oslo.policy's credentials, with `user` and `tenant` as older files say them. */
export const callerAttributes = (caller: PolicyCaller): PolicyAttributes => ({
  user_id: caller.userId,
  user: caller.userId,
  project_id: caller.projectId,
  tenant: caller.projectId,
  roles: caller.roles,
  user_domain_id: caller.userDomainId ?? null,
  project_domain_id: caller.projectDomainId ?? null,
  domain_id: caller.domainId ?? null,
  system_scope: caller.systemScope ?? null,
  service_roles: caller.serviceRoles ?? [],
  is_admin_project: caller.isAdminProject ?? true,
});

/**
 * Every rule of the Image API is for project-scoped tokens: any other scope is answered 403 on each call that asks
 * a rule, before the image is looked for (Image API, "Identity attributes", `enforce_scope`).
 */
export const isProjectScoped = (caller: PolicyCaller): boolean =>
  (caller.systemScope ?? null) === null && (caller.domainId ?? null) === null;

/** What rules may know of an image; one that is about to be created has only some of it. */
export type ImageTarget = Seen & Partial<Attributes> & { readonly id?: string };

/**
 * An image by the names of Glance's policy targets. A custom property is there under its own name and never hides
 * an attribute that rules rely on. Members count only while the image is shared.
 */
export function imageAttributes(
  image: ImageTarget,
  caller: Pick<PolicyCaller, 'projectId'>,
): PolicyAttributes {
  const attributes: Record<string, Json> = fieldAttributes(image, caller);
  // Added last, one by one: an object that begins as a copy takes ten times as long to make, for each image of a page.
  for (const [name, value] of Object.entries(image.properties ?? {}))
    if (!Object.hasOwn(attributes, name)) attributes[name] = value;
  return attributes;
}

const fieldAttributes = (image: ImageTarget, caller: Pick<PolicyCaller, 'projectId'>) => ({
  image_id: image.id ?? null,
  owner: image.owner,
  project_id: image.owner,
  tenant: image.owner,
  member_id: isSharedWith(image, caller.projectId) ? caller.projectId : null,
  visibility: image.visibility,
  name: image.name ?? null,
  protected: image.protected ?? false,
  os_hidden: image.hidden ?? false,
  disk_format: image.diskFormat ?? null,
  container_format: image.containerFormat ?? null,
  min_disk: image.minDisk ?? 0,
  min_ram: image.minRam ?? 0,
  tags: image.tags ?? [],
});

/** The target of calls that are about no image or namespace: lists, tasks, the cache, stores. */
export const ownAttributes = (caller: Pick<PolicyCaller, 'projectId'>): PolicyAttributes => ({
  project_id: caller.projectId,
  owner: caller.projectId,
  tenant: caller.projectId,
});

/** A metadata namespace and whatever lies in it. */
export const namespaceAttributes = (namespace: {
  readonly owner: string | null;
  readonly visibility: 'public' | 'private';
}): PolicyAttributes => ({
  project_id: namespace.owner,
  owner: namespace.owner,
  tenant: namespace.owner,
  visibility: namespace.visibility,
});
