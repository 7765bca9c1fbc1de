import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { access, type Caller } from '../../domain/image/access.ts';
import { defaultLimits } from '../../domain/image/attributes.ts';
import type { PatchOperation } from '../../domain/image/commands.ts';
import { imageDecider } from '../../domain/image/image.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { parseProtections, protectionsBy } from '../../domain/property-protections/protections.ts';
import { Refused } from '../../domain/refused.ts';
import { specOf } from '../support/spec.ts';
import { admin, attributes, createdAs, member } from './fixtures.ts';

const section = (title: string, create: string, read: string, update: string, remove: string) =>
  `[${title}]\ncreate=${create}\nread=${read}\nupdate=${update}\ndelete=${remove}\n`;

const policy = parsePolicy(null);
const file = [
  section('^open_', '@', '@', '@', '@'),
  section('^secret_', 'admin', 'admin', 'admin', 'admin'),
  section('^fixed_', '@', '@', '!', '!'),
  section('^drop_', '@', 'admin', 'admin', 'admin'),
].join('\n');
const decider = imageDecider(
  defaultLimits,
  access(policy, protectionsBy(parseProtections(file, 'roles'), policy)),
);
const given = specOf(decider);

const properties = { open_a: '1', secret_a: '1', fixed_a: '1', drop_a: '1' };
const image = createdAs({ properties });

const update = (caller: Caller, ...operations: readonly PatchOperation[]) =>
  ({ type: 'UpdateImage', caller, operations }) as const;
const add = (property: string, overwrite = true): PatchOperation => ({
  kind: 'add-property',
  property,
  value: '2',
  overwrite,
});
const replace = (property: string): PatchOperation => ({
  kind: 'replace-property',
  property,
  value: '2',
});
const remove = (property: string): PatchOperation => ({ kind: 'remove-property', property });
const changed = (property: string, from: string | null, to: string | null) =>
  ({
    type: 'ImageUpdated',
    data: { changes: [], properties: [{ property, from, to }] },
  }) as const;

describe('with property protections', () => {
  test('a property may be given to a new image by who may create it', () => {
    const create = (caller: Caller, name: string) =>
      ({
        type: 'CreateImage',
        caller,
        attributes: { ...attributes, owner: caller.projectId, properties: { [name]: 'x' } },
      }) as const;
    for (const name of ['open_b', 'fixed_b', 'drop_b'])
      given()
        .when(create(member, name))
        .records({ type: 'ImageCreated', data: create(member, name).attributes });
    for (const name of ['secret_b', 'nobodys'])
      given()
        .when(create(member, name))
        .refused('not-allowed', new RegExp(`'${name}' is reserved`));
    given().when(create(admin, 'nobodys')).refused('not-allowed');
  });

  test('a property is changed and removed by who may', () => {
    given(image)
      .when(update(member, add('open_b')))
      .records(changed('open_b', null, '2'));
    given(image)
      .when(update(member, add('open_a')))
      .records(changed('open_a', '1', '2'));
    given(image)
      .when(update(member, replace('open_a')))
      .records(changed('open_a', '1', '2'));
    given(image)
      .when(update(member, remove('open_a')))
      .records(changed('open_a', '1', null));
    for (const operation of [add('fixed_a'), replace('fixed_a'), remove('fixed_a')])
      given(image)
        .when(update(admin, operation))
        .refused('not-allowed', /fixed_a/);
    given(image)
      .when(update(member, add('fixed_b')))
      .records(changed('fixed_b', null, '2'));
    given(image)
      .when(update(member, add('secret_b')))
      .refused('not-allowed', /secret_b/);
    given(image)
      .when(update(admin, replace('secret_a')))
      .records(changed('secret_a', '1', '2'));
  });

  test('a property that cannot be read answers as one that is not there', () => {
    for (const name of ['secret_a', 'secret_absent'])
      for (const operation of [replace(name), remove(name)])
        given(image)
          .when(update(member, operation))
          .refused('property-missing', new RegExp(`${name} does not exist`));
    for (const name of ['secret_a', 'secret_absent'])
      for (const overwrite of [true, false])
        given(image)
          .when(update(member, add(name, overwrite)))
          .refused('not-allowed', new RegExp(`'${name}' is reserved`));
  });

  test('a property that cannot be read is not replaced by who may create it', () => {
    given(image)
      .when(update(member, add('drop_b')))
      .records(changed('drop_b', null, '2'));
    given(image)
      .when(update(member, add('drop_a')))
      .refused('not-allowed', /drop_a/);
    given(image)
      .when(update(member, add('drop_b'), add('drop_b')))
      .refused('not-allowed');
  });

  test('properties that the caller cannot read outlive what it changes', () => {
    given(image)
      .when(update(member, remove('open_a'), { kind: 'set', field: 'name', value: 'other' }))
      .records({
        type: 'ImageUpdated',
        data: {
          changes: [{ field: 'name', from: 'cirros', to: 'other' }],
          properties: [{ property: 'open_a', from: '1', to: null }],
        },
      });
  });

  test('a refusal names the rule that said no, also where the property answers as not there', () => {
    const ruleOf = (...operations: readonly PatchOperation[]): string | undefined => {
      try {
        decider.decide(
          update(member, ...operations),
          [image].reduce(decider.evolve, decider.initial),
        );
      } catch (error) {
        if (error instanceof Refused) return error.rule;
        throw error;
      }
      return undefined;
    };
    assert.equal(ruleOf(add('nobodys')), 'property protections:create');
    assert.equal(ruleOf(replace('fixed_a')), '^fixed_:update');
    assert.equal(ruleOf(remove('fixed_a')), '^fixed_:delete');
    assert.equal(ruleOf(replace('secret_a')), '^secret_:read');
    assert.equal(ruleOf(replace('secret_absent')), undefined);
  });
});
