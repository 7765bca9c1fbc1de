import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allows, type Caller, canSee, type Rule } from '../../domain/image/access.ts';
import { type Attributes, visibilities } from '../../domain/image/attributes.ts';
import { image, ruleOf } from '../../domain/image/image.ts';
import { specOf } from '../support/spec.ts';
import {
  admin,
  asks,
  attributes,
  createdAs,
  histories,
  member,
  reader,
  roleless,
  strangeReader,
  stranger,
} from './fixtures.ts';

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

const rules: Record<Rule, Record<string, readonly Who[]>> = {
  add_image: whateverVisibility(owners),
  modify_image: whateverVisibility(owners),
  delete_image: whateverVisibility(owners),
  communitize_image: whateverVisibility(owners),
  upload_image: whateverVisibility(owners),
  deactivate: whateverVisibility(owners),
  reactivate: whateverVisibility(owners),
  publicize_image: whateverVisibility(['admin']),
  get_images: whateverVisibility(['admin', 'member', 'reader', 'stranger', 'strangeReader']),
  get_image: openAndClosed(
    ['admin', 'member', 'reader', 'stranger', 'strangeReader'],
    ['admin', 'member', 'reader'],
  ),
  download_image: openAndClosed(['admin', 'member', 'stranger'], ['admin', 'member']),
};

for (const [rule, passes] of Object.entries(rules) as [Rule, (typeof rules)[Rule]][])
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
