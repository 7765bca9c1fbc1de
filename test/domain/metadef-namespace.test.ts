import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Caller } from '../../domain/image/access.ts';
import { metadefAccess } from '../../domain/metadef/access.ts';
import { type LoadMode, operator, type Party } from '../../domain/metadef/commands.ts';
import {
  type Definitions,
  maxDefinitions,
  type NamespaceAttributes,
  noDefinitions,
} from '../../domain/metadef/content.ts';
import type { NamespaceEvent } from '../../domain/metadef/events.ts';
import { namespaceDecider } from '../../domain/metadef/namespace.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { specOf } from '../support/spec.ts';
import { admin, member, reader, stranger } from './fixtures.ts';

const decider = namespaceDecider(metadefAccess(parsePolicy(null)));
const given = specOf(decider);

const by = (caller: Caller): Party => ({ kind: 'caller', caller });
const namespace = 'OS::Test';
const attributes: NamespaceAttributes = {
  namespace,
  displayName: 'Test',
  description: null,
  visibility: 'public',
  protected: false,
  owner: 'owners',
};
const size = { name: 'size', title: 'Size', type: 'string' };
const definitions: Definitions = {
  association: [{ name: 'OS::Glance::Image', prefix: 'hw_' }],
  property: [size],
  object: [{ name: 'box' }],
  tag: [{ name: 'one' }, { name: 'two' }],
};
const createdAs = (change: Partial<NamespaceAttributes>): NamespaceEvent => ({
  type: 'MetadefNamespaceCreated',
  data: { ...attributes, ...change, claimId: 'claim-1', definitions },
});
const created = createdAs({});
const locked = createdAs({ protected: true });
const deleted: NamespaceEvent = { type: 'MetadefNamespaceDeleted', data: {} };
const create = (party: Party, content = { attributes, definitions }, claimId = 'claim-1') =>
  ({ type: 'CreateNamespace', by: party, namespace, content, claimId }) as const;
const root = by(admin);

describe('a namespace', () => {
  test('is created whole, with its claim', () => {
    given().when(create(root)).records(created);
    given().when(create(operator)).records(created);
  });

  test('is created by nobody but an administrator', () => {
    for (const caller of [member, reader, stranger])
      given()
        .when(create(by(caller)))
        .refused('not-allowed', /add_metadef_namespace/);
  });

  test('has each name of a kind once', () => {
    for (const kind of ['association', 'property', 'object', 'tag'] as const) {
      const twice = { ...noDefinitions, [kind]: [{ name: 'x' }, { name: 'x' }] };
      given()
        .when(create(root, { attributes, definitions: twice }))
        .refused('definition-exists', /x already exists in namespace=OS::Test/);
    }
    const same = { association: [size], property: [size], object: [size], tag: [size] };
    given()
      .when(create(root, { attributes, definitions: same }))
      .records({ ...created, data: { ...created.data, definitions: same } } as NamespaceEvent);
  });

  test('holds so many definitions and no more', () => {
    const many = Array.from({ length: maxDefinitions + 1 }, (_, index) => ({ name: `${index}` }));
    const content = { attributes, definitions: { ...noDefinitions, tag: many } };
    given()
      .when(create(root, content))
      .refused('limit-exceeded', /tag definitions/);
    const names = many.map(({ name }) => name);
    given(created)
      .when({ type: 'AddTags', by: root, namespace, names, append: false })
      .refused('limit-exceeded');
    const large = { ...size, name: 'large', default: 'x'.repeat(5 * 1024 * 1024) };
    given(created)
      .when({ type: 'AddDefinition', by: root, namespace, kind: 'property', definition: large })
      .refused('limit-exceeded', /characters/);
  });

  test('that outgrew a limit can shrink', () => {
    const many = Array.from({ length: maxDefinitions + 5 }, (_, index) => ({ name: `${index}` }));
    const grown = {
      ...created,
      data: { ...created.data, definitions: { ...noDefinitions, tag: many } },
    } as NamespaceEvent;
    given(grown)
      .when({ type: 'RemoveDefinition', by: root, namespace, kind: 'tag', name: '7' })
      .records({ type: 'MetadefTagRemoved', data: { definition: { name: '7' } } });
  });

  test('is unknown once it is deleted, and is not made again', () => {
    const remove = { type: 'DeleteNamespace', by: root, namespace } as const;
    given(created).when(remove).records(deleted);
    given(created, deleted).when(remove).refused('namespace-unknown');
    given(created, deleted).when(create(root)).refused('namespace-exists');
    given().when(remove).refused('namespace-unknown');
  });

  test('does not answer to a name that it no longer has', () => {
    const renamed: NamespaceEvent = {
      type: 'MetadefNamespaceRenamed',
      data: { from: namespace, to: 'new', claimId: 'claim-2' },
    };
    given(created, renamed)
      .when({ type: 'DeleteNamespace', by: root, namespace })
      .refused('namespace-unknown', /OS::Test/);
    given(created, renamed)
      .when({ type: 'DeleteNamespace', by: root, namespace: 'new' })
      .records(deleted);
  });

  test('that is protected loses nothing, but to the operator', () => {
    for (const command of [
      { type: 'DeleteNamespace' },
      { type: 'RemoveDefinitions', kind: 'tag' },
      { type: 'RemoveDefinition', kind: 'tag', name: 'one' },
      { type: 'RemoveDefinition', kind: 'association', name: 'OS::Glance::Image' },
    ] as const) {
      given(locked)
        .when({ ...command, by: root, namespace })
        .refused('namespace-protected');
      assert.equal(
        decider.decide(
          { ...command, by: operator, namespace },
          [locked].reduce(decider.evolve, decider.initial),
        ).length,
        1,
      );
    }
    given(locked)
      .when({ type: 'DeleteNamespace', by: operator, namespace })
      .records({ type: 'MetadefNamespaceDeleted', data: { unloaded: true } });
  });

  test('is there for who may not change it, and is not for who may not see it', () => {
    const remove = (caller: Caller) =>
      ({ type: 'DeleteNamespace', by: by(caller), namespace }) as const;
    const hidden = createdAs({ visibility: 'private' });
    given(created).when(remove(stranger)).refused('not-allowed');
    given(hidden).when(remove(member)).refused('not-allowed');
    given(hidden).when(remove(stranger)).refused('namespace-unknown');
  });

  test('records of its own fields what changed, with what it was', () => {
    const update = (change: Partial<NamespaceAttributes>, claimId?: string) =>
      ({
        type: 'UpdateNamespace',
        by: root,
        namespace,
        attributes: { ...attributes, ...change },
        ...(claimId === undefined ? {} : { claimId }),
      }) as const;
    const changed: NamespaceEvent = {
      type: 'MetadefNamespaceUpdated',
      data: {
        changes: [
          { field: 'displayName', from: 'Test', to: null },
          { field: 'protected', from: false, to: true },
        ],
      },
    };
    given(created).when(update({})).records();
    given(created)
      .when(update({ displayName: null, protected: true }))
      .records(changed);
    const open = createdAs({ visibility: 'public' });
    const changes = (
      ...some: readonly (NamespaceEvent & {
        type: 'MetadefNamespaceUpdated';
      })['data']['changes'][number][]
    ): NamespaceEvent => ({ type: 'MetadefNamespaceUpdated', data: { changes: some } });
    const hiddenFirst = { displayName: null, owner: 'others', visibility: 'private' } as const;
    given(open)
      .when(update(hiddenFirst))
      .records(
        changes(
          { field: 'visibility', from: 'public', to: 'private' },
          { field: 'owner', from: attributes.owner, to: 'others' },
        ),
        changes({ field: 'displayName', from: 'Test', to: null }),
      );
    const renamed: NamespaceEvent = {
      type: 'MetadefNamespaceRenamed',
      data: { from: namespace, to: 'new', claimId: 'claim-2' },
    };
    given(createdAs({ visibility: 'private' }))
      .when(update({ namespace: 'new', displayName: null, visibility: 'public' }, 'claim-2'))
      .records(
        changes({ field: 'displayName', from: 'Test', to: null }),
        renamed,
        changes({ field: 'visibility', from: 'private', to: 'public' }),
      );
    given(created)
      .when(update({ namespace: 'new' }))
      .refused('name-contested');
    given(created)
      .when(update({ namespace: 'new', displayName: null, protected: true }, 'claim-2'))
      .records(changed, renamed);
  });
});

describe('a definition', () => {
  const add = (kind: 'property' | 'tag', definition: { name: string }) =>
    ({ type: 'AddDefinition', by: root, namespace, kind, definition }) as const;
  const change = (name: string, definition: { name: string }) =>
    ({
      type: 'ChangeDefinition',
      by: root,
      namespace,
      kind: 'property',
      name,
      definition,
    }) as const;

  test('is added once', () => {
    const width = { name: 'width', title: 'Width', type: 'integer' };
    const added: NamespaceEvent = { type: 'MetadefPropertyAdded', data: { definition: width } };
    given(created).when(add('property', width)).records(added);
    given(created, added).when(add('property', width)).refused('definition-exists');
    given(created, added)
      .when(add('tag', width))
      .records({
        type: 'MetadefTagAdded',
        data: { definition: width },
      });
  });

  test('changes with what it was, its name too, and not when it says the same', () => {
    const to = { name: 'length', type: 'integer', title: 'Length' };
    const changed: NamespaceEvent = { type: 'MetadefPropertyChanged', data: { from: size, to } };
    given(created).when(change('size', to)).records(changed);
    given(created, changed).when(change('size', to)).refused('definition-unknown');
    given(created, changed)
      .when(change('length', { title: 'Length', type: 'integer', name: 'length' } as never))
      .records();
    given(created, changed)
      .when(add('property', size))
      .records({ type: 'MetadefPropertyAdded', data: { definition: size } });
  });

  test('does not take the name of another', () => {
    const other: NamespaceEvent = {
      type: 'MetadefPropertyAdded',
      data: { definition: { name: 'other' } },
    };
    given(created, other).when(change('other', size)).refused('definition-exists');
  });

  test('goes alone or with all of its kind', () => {
    const remove = (name: string) =>
      ({ type: 'RemoveDefinition', by: root, namespace, kind: 'tag', name }) as const;
    const gone: NamespaceEvent = {
      type: 'MetadefTagRemoved',
      data: { definition: { name: 'one' } },
    };
    given(created).when(remove('one')).records(gone);
    given(created, gone).when(remove('one')).refused('definition-unknown');
    const empty = { type: 'RemoveDefinitions', by: root, namespace, kind: 'tag' } as const;
    const emptied: NamespaceEvent = { type: 'MetadefTagsRemoved', data: { names: ['two'] } };
    given(created, gone).when(empty).records(emptied);
    given(created, gone, emptied).when(empty).records();
  });

  test('of tags, many replace the others or join them', () => {
    const tags = (names: readonly string[], append: boolean) =>
      ({ type: 'AddTags', by: root, namespace, names, append }) as const;
    const replaced = (to: readonly string[]): NamespaceEvent => ({
      type: 'MetadefTagsReplaced',
      data: { from: ['one', 'two'], to },
    });
    given(created)
      .when(tags(['three'], false))
      .records(replaced(['three']));
    given(created)
      .when(tags(['three'], true))
      .records(replaced(['one', 'two', 'three']));
    given(created)
      .when(tags(['one'], true))
      .refused('definition-exists');
    given(created)
      .when(tags(['x', 'x'], false))
      .refused('definition-exists');
    given(created)
      .when(tags(['one', 'two'], false))
      .records();
    given(created, replaced(['three']))
      .when(tags(['one'], true))
      .records({
        type: 'MetadefTagsReplaced',
        data: { from: ['three'], to: ['three', 'one'] },
      });
  });
});

describe('what the operator loads', () => {
  const load = (mode: LoadMode, change: Partial<Definitions>, displayName = 'Test') =>
    ({
      type: 'LoadNamespace',
      by: operator,
      namespace,
      mode,
      content: {
        attributes: { ...attributes, displayName },
        definitions: { ...noDefinitions, ...change },
      },
    }) as const;
  const newer = { ...size, title: 'Newer' };
  const width = { name: 'width', title: 'Width', type: 'integer' };
  const added: NamespaceEvent = { type: 'MetadefPropertyAdded', data: { definition: width } };
  const changed: NamespaceEvent = {
    type: 'MetadefPropertyChanged',
    data: { from: size, to: newer },
  };
  const retitled: NamespaceEvent = {
    type: 'MetadefNamespaceUpdated',
    data: { changes: [{ field: 'displayName', from: 'Test', to: 'New' }] },
  };
  const property = [width, newer];

  test('is skipped, merged, preferred or takes over', () => {
    given(created)
      .when(load('skip', { property }, 'New'))
      .records();
    given(created)
      .when(load('merge', { property }, 'New'))
      .records(added);
    given(created)
      .when(load('prefer-new', { property }, 'New'))
      .records(retitled, changed, added);
    given(locked)
      .when(load('overwrite', { ...definitions, property: [size], tag: [{ name: 'one' }] }))
      .records(
        {
          type: 'MetadefNamespaceUpdated',
          data: { changes: [{ field: 'protected', from: true, to: false }] },
        },
        { type: 'MetadefTagRemoved', data: { definition: { name: 'two' } } },
      );
  });

  test('changes nothing when it says the same', () => {
    for (const mode of ['skip', 'merge', 'prefer-new', 'overwrite'] as const)
      given(created).when(load(mode, definitions)).records();
  });
});

describe('a claim', () => {
  const abandon = (claimId: string) => ({ type: 'AbandonClaim', claimId }) as const;
  const abandoned: NamespaceEvent = {
    type: 'MetadefNameClaimAbandoned',
    data: { claimId: 'claim-1' },
  };

  test('that came to nothing is ended once, and cannot be used then', () => {
    given().when(abandon('claim-1')).records(abandoned);
    given(abandoned).when(abandon('claim-1')).records();
    given(abandoned).when(create(root)).refused('name-contested');
    given(abandoned)
      .when(create(root, undefined, 'claim-2'))
      .records({ ...created, data: { ...created.data, claimId: 'claim-2' } } as NamespaceEvent);
  });

  test('that holds is not ended; that of an earlier name or a deleted namespace is over', () => {
    given(created)
      .when(abandon('claim-1'))
      .refused('namespace-exists', /OS::Test/);
    const renamed: NamespaceEvent = {
      type: 'MetadefNamespaceRenamed',
      data: { from: namespace, to: 'new', claimId: 'claim-2' },
    };
    given(created, renamed).when(abandon('claim-1')).records();
    given(created, renamed).when(abandon('claim-2')).refused('namespace-exists');
    given(created, deleted).when(abandon('claim-1')).records();
  });
});
