import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { visibilities } from '../../domain/image/attributes.ts';
import {
  callerAttributes,
  imageAttributes,
  namespaceAttributes,
  ownAttributes,
  type PolicyCaller,
} from '../../domain/policy/attributes.ts';
import { type Action, actionRules } from '../../domain/policy/defaults.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';

const policy = parsePolicy(null);

const memberRoles = ['member', 'reader'];
const someone = (projectId: string | null, roles: readonly string[]): PolicyCaller => ({
  userId: projectId === null ? null : `user-of-${projectId}`,
  projectId,
  roles,
});
/** The columns of the tables below, in their order. */
const callers = {
  admin: someone('office', ['admin', ...memberRoles]),
  'member of the owner': someone('owners', memberRoles),
  'reader of the owner': someone('owners', ['reader']),
  'accepted member': someone('accepted', memberRoles),
  'pending member': someone('pending', memberRoles),
  'rejected member': someone('rejected', memberRoles),
  stranger: someone('strangers', memberRoles),
  service: someone('services', ['service']),
  'no token': someone(null, []),
};
const members: readonly string[] = ['accepted', 'pending', 'rejected'];

type Row = string;
interface ByVisibility {
  readonly public: Row;
  readonly community: Row;
  readonly shared: Row;
  readonly private: Row;
}
const open = (open: Row, shared: Row, closed: Row): ByVisibility => ({
  public: open,
  community: open,
  shared,
  private: closed,
});
const always = (row: Row): ByVisibility => ({
  public: row,
  community: row,
  shared: row,
  private: row,
});

// Written from the reference's text, not from the rules. Y: yes. F: 403. -: 404, the image is not there for the
// caller. Columns: administrator, owner's member and reader, the three members, stranger, service, no token.
const visible = open('YYYYYYYYY', 'YYYYYY---', 'YYY------');

const ownerMember = open('YYFFFFF--', 'YYFFFF---', 'YYF------');
const ownerReader = open('YYYFFFF--', 'YYYFFF---', 'YYY------');
const adminOnly = open('YFFFFFF--', 'YFFFFF---', 'YFF------');
const download = open('YYFYYYY--', 'YYFYYY---', 'YYF------');
const memberProjects = open('YYYFFFF--', 'YYYYYY---', 'YYY------');

const onImages = {
  get_image: open('YYYYYYY--', 'YYYYYY---', 'YYY------'),
  modify_image: ownerMember,
  delete_image: ownerMember,
  publicize_image: adminOnly,
  communitize_image: ownerMember,
  upload_image: ownerMember,
  download_image: download,
  download_from_store: download,
  deactivate: ownerMember,
  reactivate: ownerMember,
  copy_image: adminOnly,
  get_image_location: ownerReader,
  set_image_location: ownerMember,
  delete_image_location: adminOnly,
  add_image_location: open('YYFFFFFY-', 'YYFFFF---', 'YYF------'),
  fetch_image_location: open('YFFFFFFY-', 'YFFFFF---', 'YFF------'),
  get_members: memberProjects,
  get_member: memberProjects,
  add_member: ownerMember,
  delete_member: ownerMember,
  modify_member: open('YFFFFFF--', 'YFFYYY---', 'YFF------'),
  get_past_image: open('YYYYYYY--', 'YYYYYY---', 'YYY------'),
} as const;

/** Of an image for the project `owners` that is not there yet. */
const onNewImages = { add_image: always('YYFFFFFFF') } as const;

const admins = 'YFFFFFFFF';
const readers = 'YYYYYYYFF';
const onNothing = {
  get_images: readers,
  stores_info_detail: 'YFFFFFFYF',
  cache_image: admins,
  cache_list: admins,
  cache_delete: admins,
  cache_clean: admins,
  cache_prune: admins,
  list_cached_nodes: admins,
  tasks_api_access: admins,
  get_metadef_namespaces: readers,
  get_webhooks: readers,
  get_webhook: readers,
  get_webhook_deliveries: readers,
  add_webhook: 'YYFYYYYFF',
  modify_webhook: 'YYFYYYYFF',
  delete_webhook: 'YYFYYYYFF',
  redeliver_webhook: 'YYFYYYYFF',
  get_bulk_imports: readers,
  get_bulk_import: readers,
  add_bulk_import: 'YYFYYYYFF',
  modify_bulk_import: 'YYFYYYYFF',
  get_all_history: admins,
  get_image_history: readers,
  get_metadef_history: readers,
  get_project_history: readers,
  get_history_events: readers,
  get_image_downloads: readers,
  get_download_recording: readers,
  set_download_recording: admins,
  get_past_images: readers,
  get_audit_checkpoint: 'YYYYYYYYY',
  get_audit_entries: admins,
  get_legal_holds: admins,
  get_image_legal_hold: readers,
  set_legal_hold: admins,
  get_audit_proof: readers,
} as const;

type ByOpenness = Pick<ByVisibility, 'public' | 'private'>;
const namespaceReader: ByOpenness = { public: readers, private: 'YYYFFFFFF' };
const namespaceAdmin: ByOpenness = { public: admins, private: admins };
const onNamespaces = {
  get_metadef_namespace: namespaceReader,
  get_metadef_object: namespaceReader,
  get_metadef_objects: namespaceReader,
  list_metadef_resource_types: namespaceReader,
  get_metadef_resource_type: namespaceReader,
  get_metadef_property: namespaceReader,
  get_metadef_properties: namespaceReader,
  get_metadef_tag: namespaceReader,
  get_metadef_tags: namespaceReader,
  add_metadef_namespace: namespaceAdmin,
  modify_metadef_namespace: namespaceAdmin,
  delete_metadef_namespace: namespaceAdmin,
  add_metadef_object: namespaceAdmin,
  modify_metadef_object: namespaceAdmin,
  delete_metadef_object: namespaceAdmin,
  add_metadef_property: namespaceAdmin,
  modify_metadef_property: namespaceAdmin,
  remove_metadef_property: namespaceAdmin,
  add_metadef_resource_type_association: namespaceAdmin,
  remove_metadef_resource_type_association: namespaceAdmin,
  add_metadef_tag: namespaceAdmin,
  add_metadef_tags: namespaceAdmin,
  modify_metadef_tag: namespaceAdmin,
  delete_metadef_tag: namespaceAdmin,
  delete_metadef_tags: namespaceAdmin,
} as const;

const entries = <Value>(of: Readonly<Partial<Record<Action, Value>>>) =>
  Object.entries(of) as [Action, Value][];

let cells = 0;
const row = (outcome: (caller: PolicyCaller, column: number) => string): Row => {
  const outcomes = Object.values(callers).map(outcome);
  cells += outcomes.length;
  return outcomes.join('');
};
const yesOr403 = (rule: Action, target: ReturnType<typeof ownAttributes>, caller: PolicyCaller) =>
  policy.allows(rule, target, callerAttributes(caller)) ? 'Y' : 'F';

const imageFor = (visibility: keyof ByVisibility, caller: PolicyCaller) =>
  imageAttributes(
    { owner: 'owners', visibility, members: members.map((projectId) => ({ projectId })) },
    caller,
  );

describe('the default policy', () => {
  for (const [rule, rows] of entries(onImages))
    for (const visibility of visibilities)
      test(`${rule} of a ${visibility} image`, () => {
        const outcome = (caller: PolicyCaller, column: number): string => {
          if (visible[visibility][column] !== 'Y') return '-';
          const target = imageFor(visibility, caller);
          if (yesOr403(rule, target, caller) === 'Y') return 'Y';
          return yesOr403('get_image', target, caller) === 'Y' ? 'F' : '-';
        };
        assert.equal(row(outcome), rows[visibility]);
      });

  for (const [rule, rows] of entries(onNewImages))
    for (const visibility of visibilities)
      test(`${rule} with visibility ${visibility}`, () => {
        const outcome = (caller: PolicyCaller) =>
          yesOr403(rule, imageFor(visibility, caller), caller);
        assert.equal(row(outcome), rows[visibility]);
      });

  for (const [rule, expected] of entries(onNothing))
    test(rule, () => {
      assert.equal(
        row((caller) => yesOr403(rule, ownAttributes(caller), caller)),
        expected,
      );
    });

  for (const [rule, rows] of entries(onNamespaces))
    for (const visibility of ['public', 'private'] as const)
      test(`${rule} in a ${visibility} namespace`, () => {
        const target = namespaceAttributes({ owner: 'owners', visibility });
        assert.equal(
          row((caller) => yesOr403(rule, target, caller)),
          rows[visibility],
        );
      });

  test('has no rule beside these', () => {
    const tables = { ...onImages, ...onNewImages, ...onNothing, ...onNamespaces };
    assert.deepEqual(Object.keys(tables).sort(), Object.keys(actionRules).sort());
  });

  test('was asked in every cell of these tables', (context) => {
    context.diagnostic(`${cells} cells of the default policy`);
    assert.equal(cells, (22 * 4 + 1 * 4 + 36 + 25 * 2) * 9);
  });
});
