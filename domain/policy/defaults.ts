/** "M" of the table below: role member in the project that owns the target. */
const ownerMember = 'rule:context_is_admin or (role:member and project_id:%(project_id)s)';
const ownerReader = 'rule:context_is_admin or (role:reader and project_id:%(project_id)s)';

/**
 * Who the image is for, whatever the role; one without an owner is for everybody. An image that its caller cannot see
 * at all never gets here.
 */
const audience =
  "None:%(owner)s or project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s" +
  " or 'public':%(visibility)s or 'shared':%(visibility)s";

const ownerOrMemberProject =
  'rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))';
const namespaceReader =
  "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))";

/** Names that rules refer to; no call asks them but `context_is_admin`. */
const aliases = {
  default: '',
  context_is_admin: 'role:admin',
  // The service role alone is the aim; administrators pass until every service has it.
  service_api: 'role:service or rule:context_is_admin',
  metadef_default: '',
  metadef_admin: 'rule:context_is_admin',
  manage_image_cache: 'rule:context_is_admin',
  auditor: 'role:auditor or rule:context_is_admin',
} as const;

const images = {
  add_image:
    'rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)',
  get_images: ownerReader,
  get_image: `rule:context_is_admin or (role:reader and (${audience}))`,
  modify_image: ownerMember,
  delete_image: ownerMember,
  publicize_image: 'rule:context_is_admin',
  communitize_image: ownerMember,
  upload_image: ownerMember,
  download_image: `rule:context_is_admin or (role:member and (${audience}))`,
  download_from_store: 'rule:download_image',
  deactivate: ownerMember,
  reactivate: ownerMember,
  copy_image: 'rule:context_is_admin',
  get_image_location: ownerReader,
  set_image_location: ownerMember,
  delete_image_location: 'rule:context_is_admin',
  add_image_location:
    'rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)',
  fetch_image_location: 'rule:service_api',
  get_members: ownerOrMemberProject,
  get_member: ownerOrMemberProject,
  add_member: ownerMember,
  delete_member: ownerMember,
  modify_member: 'rule:context_is_admin or (role:member and project_id:%(member_id)s)',
} as const;

const service = {
  stores_info_detail: 'rule:context_is_admin or rule:service_api',
  cache_image: 'rule:manage_image_cache',
  cache_list: 'rule:manage_image_cache',
  cache_delete: 'rule:manage_image_cache',
  cache_clean: 'rule:manage_image_cache',
  cache_prune: 'rule:manage_image_cache',
  list_cached_nodes: 'rule:manage_image_cache',
  tasks_api_access: 'rule:context_is_admin',
} as const;

const metadefs = {
  get_metadef_namespaces: ownerReader,
  get_metadef_namespace: namespaceReader,
  get_metadef_object: namespaceReader,
  get_metadef_objects: namespaceReader,
  list_metadef_resource_types: namespaceReader,
  get_metadef_resource_type: namespaceReader,
  get_metadef_property: namespaceReader,
  get_metadef_properties: namespaceReader,
  get_metadef_tag: namespaceReader,
  get_metadef_tags: namespaceReader,
  add_metadef_namespace: 'rule:metadef_admin',
  modify_metadef_namespace: 'rule:metadef_admin',
  delete_metadef_namespace: 'rule:metadef_admin',
  add_metadef_object: 'rule:metadef_admin',
  modify_metadef_object: 'rule:metadef_admin',
  delete_metadef_object: 'rule:metadef_admin',
  add_metadef_property: 'rule:metadef_admin',
  modify_metadef_property: 'rule:metadef_admin',
  remove_metadef_property: 'rule:metadef_admin',
  add_metadef_resource_type_association: 'rule:metadef_admin',
  remove_metadef_resource_type_association: 'rule:metadef_admin',
  add_metadef_tag: 'rule:metadef_admin',
  add_metadef_tags: 'rule:metadef_admin',
  modify_metadef_tag: 'rule:metadef_admin',
  delete_metadef_tag: 'rule:metadef_admin',
  delete_metadef_tags: 'rule:metadef_admin',
} as const;

/** Webhooks, which Glance has not. One for the facts of all projects is no project's: it is for administrators. */
const webhooks = {
  get_webhooks: ownerReader,
  get_webhook: ownerReader,
  get_webhook_deliveries: ownerReader,
  add_webhook: ownerMember,
  modify_webhook: ownerMember,
  delete_webhook: ownerMember,
  redeliver_webhook: ownerMember,
} as const;

const ownHistory = 'rule:auditor or (role:reader and project_id:%(project_id)s)';

/**
 * History, which Glance has not. `get_all_history` is what shows the history of every project, and attempts that were
 * refused; the others are of the caller's own. `get_past_image` is asked of the image as it was.
 */
const history = {
  get_all_history: 'rule:auditor',
  get_image_history: ownHistory,
  get_metadef_history: ownHistory,
  get_project_history: ownHistory,
  get_history_events: ownHistory,
  get_image_downloads: ownHistory,
  get_download_recording: ownHistory,
  set_download_recording: 'rule:context_is_admin',
  get_past_images: ownHistory,
  get_past_image: `rule:auditor or (role:reader and (${audience}))`,
} as const;

/** The audit tree, which Glance has not. What a proof shows is asked of each event besides. */
const audit = {
  get_audit_checkpoint: '',
  get_audit_entries: 'rule:auditor',
  get_audit_proof: ownHistory,
  get_legal_holds: 'rule:auditor',
  get_image_legal_hold: ownHistory,
  set_legal_hold: 'rule:auditor',
} as const;

/** Bulk imports, which Glance has not. What their items do is asked of the rules of images, one by one. */
const bulk = {
  get_bulk_imports: ownerReader,
  get_bulk_import: ownerReader,
  add_bulk_import: ownerMember,
  modify_bulk_import: ownerMember,
} as const;

/** What a call can ask (Image API, "Default rules"; names and aliases as in Glance's own policy file). */
export const actionRules = {
  ...images,
  ...service,
  ...metadefs,
  ...webhooks,
  ...history,
  ...audit,
  ...bulk,
} as const;

/** The policy without an operator's file. An override of an alias reaches every rule that refers to it. */
export const defaultRules = { ...aliases, ...actionRules } as const;

export type Action = keyof typeof actionRules;
export type RuleName = keyof typeof defaultRules;

/** Names of older policy files that no call asks any more. Their rules must be well formed, and decide nothing. */
export const retiredRules: ReadonlySet<string> = new Set([
  'copy_from',
  'get_task',
  'get_tasks',
  'add_task',
  'modify_task',
]);
