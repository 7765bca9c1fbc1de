import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { access, type Caller, type Rule } from '../../domain/image/access.ts';
import { type Attributes, defaultLimits, visibilities } from '../../domain/image/attributes.ts';
import { image, imageDecider, ruleOf } from '../../domain/image/image.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { specOf } from '../support/spec.ts';
import {
  admin,
  asks,
  attributes,
  created,
  createdAs,
  defaultAccess,
  histories,
  member,
  reader,
  roleless,
  strangeReader,
  stranger,
} from './fixtures.ts';

const { allows, canSee } = defaultAccess;

const callers = { admin, member, reader, roleless, stranger, strangeReader } as const;
type Who = keyof typeof callers;

const everybody = Object.keys(callers) as Who[];
const owners: readonly Who[] = ['admin', 'member'];
const open = ['public', 'community'] as const;
const closed = ['shared', 'private'] as const;

/** Who passes a rule, by the image's visibility: the reference's table, written out. */
const openAndClosed = (inOpen: readonly Who[], inClosed: readonly Who[]) => ({
  ...Object.fromEntries(open.map((visibility) => [visibility, inOpen])),
  ...Object.fromEntries(closed.map((visibility) => [visibility, inClosed])),
});
const whateverVisibility = (who: readonly Who[]) => openAndClosed(who, who);

const rules = {
  modify_image: whateverVisibility(owners),
  delete_image: whateverVisibility(owners),
  communitize_image: whateverVisibility(owners),
  upload_image: whateverVisibility(owners),
  deactivate: whateverVisibility(owners),
  reactivate: whateverVisibility(owners),
  publicize_image: whateverVisibility(['admin']),
  get_image: openAndClosed(
    ['admin', 'member', 'reader', 'stranger', 'strangeReader'],
    ['admin', 'member', 'reader'],
  ),
  download_image: openAndClosed(['admin', 'member', 'stranger'], ['admin', 'member']),
} satisfies Partial<Record<Rule, Record<string, readonly Who[]>>>;

for (const [rule, passes] of Object.entries(rules) as [Rule, Record<string, readonly Who[]>][])
  for (const visibility of visibilities)
    test(`${rule} of a ${visibility} image is for ${passes[visibility]?.join(', ')}`, () => {
      const target = { owner: 'owners', visibility };
      const passing = everybody.filter((who) => allows(rule, target, callers[who]));
      assert.deepEqual(passing, passes[visibility]);
    });

test('an image is there for its project and administrators, an open one for everybody', () => {
  for (const visibility of visibilities) {
    const target = { owner: 'owners', visibility };
    const seeing = everybody.filter((who) => canSee(target, callers[who]));
    const isOpen = visibility === 'public' || visibility === 'community';
    assert.deepEqual(seeing, isOpen ? everybody : ['admin', 'member', 'reader', 'roleless']);
  }
});

test("an image without an owner is everybody's to see and administrators' to change", () => {
  const target = { owner: null, visibility: 'private' } as const;
  const homeless: Caller = { userId: 'nobody', projectId: null, roles: ['member', 'reader'] };
  for (const caller of [...Object.values(callers), homeless]) {
    assert.equal(canSee(target, caller), true);
    assert.equal(allows('modify_image', target, caller), caller === admin);
  }
});

test('a project that the image is shared with sees it while it is shared', () => {
  const members = [{ projectId: 'strangers' }];
  const seen = visibilities.filter((visibility) =>
    canSee({ owner: 'owners', visibility, members }, stranger),
  );
  assert.deepEqual(seen, ['public', 'community', 'shared']);
  const shared = { owner: 'owners', visibility: 'shared', members } as const;
  assert.ok(allows('get_image', shared, stranger));
  assert.ok(!allows('get_image', shared, { ...stranger, projectId: null }));
});

describe("an operator's policy", () => {
  const strict = access(
    parsePolicy({
      context_is_admin: 'role:boss',
      get_image: 'role:reader',
      modify_image: "rule:context_is_admin or 'gold':%(tier)s",
      add_image: 'role:builder',
    }),
  );
  const given = specOf(imageDecider(defaultLimits, strict));
  const boss = { ...stranger, roles: ['boss', 'reader'] };
  const rename = (caller: Caller) => asks(caller).UpdateImage;

  test('says who is an administrator', () => {
    const privately = createdAs({ visibility: 'private' });
    given(privately).when(rename(admin)).refused('image-unknown');
    given(privately)
      .when(rename(boss))
      .records({
        type: 'ImageUpdated',
        data: { changes: [{ field: 'name', from: 'cirros', to: 'renamed' }], properties: [] },
      });
  });

  test('does not show an image to who cannot see it, however lax', () => {
    assert.ok(!strict.allows('get_image', { owner: 'owners', visibility: 'shared' }, stranger));
    given(createdAs({ properties: { tier: 'gold' } }))
      .when(rename(stranger))
      .refused('image-unknown');
  });

  test('may look at properties', () => {
    given(created)
      .when(rename(member))
      .refused('not-allowed', /modify_image/);
    given(createdAs({ properties: { tier: 'gold' }, visibility: 'public' }))
      .when(asks(stranger).AddTag)
      .records({ type: 'TagAdded', data: { tag: 'new' } });
  });

  test('decides alone who may make an image for whom', () => {
    const builder = { ...stranger, roles: ['builder'] };
    given()
      .when({ type: 'CreateImage', caller: builder, attributes })
      .records({ type: 'ImageCreated', data: attributes });
    given()
      .when({ type: 'CreateImage', caller: member, attributes })
      .refused('not-allowed', /add_image/);
  });
});

test('a token of a system or a domain is refused before the image is looked for', () => {
  for (const scope of [{ systemScope: 'all' }, { domainId: 'default' }]) {
    const caller = { ...admin, projectId: null, ...scope };
    for (const command of commandsOf(caller))
      for (const history of [histories.absent, histories.active])
        specOf(image)(...history)
          .when(command)
          .refused('not-allowed', /scoped to a project/);
    specOf(image)()
      .when({ type: 'CreateImage', caller, attributes })
      .refused('not-allowed', /scoped to a project/);
    assert.throws(() => defaultAccess.authorizeOwn('get_images', caller), { code: 'not-allowed' });
  }
});

const commandsOf = (caller: Caller) => Object.values(asks(caller));

describe('every command on an image', () => {
  const given = (visibility: Attributes['visibility']) =>
    specOf(image)(
      ...histories.active.map((event) =>
        event.type === 'ImageCreated' ? createdAs({ visibility }) : event,
      ),
    );

  test('of another project is answered as if the image were not there', () => {
    for (const visibility of closed)
      for (const caller of [stranger, strangeReader])
        for (const command of commandsOf(caller))
          given(visibility).when(command).refused('image-unknown');
  });

  test('that the caller sees but may not change names its rule', () => {
    for (const visibility of visibilities)
      for (const command of commandsOf(reader))
        given(visibility).when(command).refused('not-allowed', new RegExp(ruleOf[command.type]));
    for (const visibility of open)
      for (const command of commandsOf(stranger))
        given(visibility).when(command).refused('not-allowed');
  });

  test('by who has no role at all is answered as if the image were not there', () => {
    for (const visibility of visibilities)
      for (const command of commandsOf(roleless))
        given(visibility).when(command).refused('image-unknown');
  });
});

describe('creating an image', () => {
  const creation = (caller: Caller, asked: Partial<Attributes> = {}) =>
    ({ type: 'CreateImage', caller, attributes: { ...attributes, ...asked } }) as const;
  const given = specOf(image);

  test('for another project is for administrators', () => {
    given()
      .when(creation(stranger))
      .refused('not-allowed', /owned by another project/);
    given()
      .when(creation(stranger, { owner: null }))
      .refused('not-allowed');
    given().when(creation(admin)).records({ type: 'ImageCreated', data: attributes });
  });

  test('needs the role member', () => {
    given()
      .when(creation(reader))
      .refused('not-allowed', /add_image/);
  });

  test('as public is for administrators, as community for members too', () => {
    const asPublic = { visibility: 'public' } as const;
    const asCommunity = { visibility: 'community' } as const;
    given()
      .when(creation(member, asPublic))
      .refused('not-allowed', /publicize_image/);
    given().when(creation(admin, asPublic)).records(createdAs(asPublic));
    given().when(creation(member, asCommunity)).records(createdAs(asCommunity));
  });
});
