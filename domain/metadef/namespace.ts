import type { Decider } from '../decider.ts';
import { Refused } from '../refused.ts';
import { type MetadefAccess, unknownNamespace } from './access.ts';
import { type ChangeCommand, type NamespaceCommand, rulesOf } from './commands.ts';
import {
  type Definition,
  type Kind,
  kinds,
  maxDefinitions,
  maxNamespaceLength,
  type NamespaceContent,
} from './content.ts';
import { differences } from './differences.ts';
import { factsOf, type NamespaceEvent } from './events.ts';
import { loaded } from './loaded.ts';
import { contested, standing } from './names.ts';
import { isSame } from './same.ts';
import { absent, evolve, type Namespace, type Present } from './state.ts';

export type NamespaceDecider = Decider<Namespace, NamespaceCommand, NamespaceEvent>;

/**
 * A namespace of metadata definitions (reference, section 19): absent → present → deleted. One that was deleted stays
 * so; another of its name is another namespace. How names are kept apart is in `names.ts`.
 */
export const namespaceDecider = (access: MetadefAccess): NamespaceDecider => ({
  initial: absent,
  evolve,
  decide(command, state) {
    switch (command.type) {
      case 'AbandonClaim': {
        const { claimId } = command;
        const claim = standing(state, claimId);
        if (claim === 'held' && state.status === 'present')
          throw duplicate(state.attributes.namespace);
        return claim === 'open' ? [{ type: 'MetadefNameClaimAbandoned', data: { claimId } }] : [];
      }
      case 'CreateNamespace':
        return decideCreation(command, state, access);
      default: {
        if (command.by.kind === 'caller' && command.type !== 'LoadNamespace')
          access.requireProjectScope(rulesOf(command)[0], command.by.caller);
        if (state.status !== 'present' || state.attributes.namespace !== command.namespace)
          throw unknownNamespace(command.namespace);
        authorize(command, state, access);
        const events = decideChange(command, state);
        guardSize(state, events);
        return events;
      }
    }
  },
});

function decideCreation(
  command: NamespaceCommand & { type: 'CreateNamespace' },
  state: Namespace,
  access: MetadefAccess,
): readonly NamespaceEvent[] {
  const { by, claimId, content } = command;
  if (by.kind === 'caller')
    for (const rule of rulesOf(command)) access.authorizeOwn(rule, by.caller);
  guardContent(content);
  guardUnique(content);
  if (state.status !== 'absent') throw duplicate(command.namespace);
  if (standing(state, claimId) === 'over') throw contested(command.namespace);
  const { attributes, definitions } = content;
  return [{ type: 'MetadefNamespaceCreated', data: { ...attributes, claimId, definitions } }];
}

function authorize(command: ChangeCommand, { attributes }: Present, access: MetadefAccess): void {
  const { by } = command;
  if (by.kind === 'operator') return;
  if (command.type === 'LoadNamespace') throw new Error('only the operator loads namespaces');
  for (const rule of rulesOf(command)) access.authorize(rule, attributes, by.caller);
}

function decideChange(command: ChangeCommand, state: Present): readonly NamespaceEvent[] {
  const { attributes, definitions } = state;
  switch (command.type) {
    case 'UpdateNamespace':
      return decideUpdate(command, state);
    case 'DeleteNamespace':
      guardProtection(command, state, `namespace ${attributes.namespace}`);
      return [
        {
          type: 'MetadefNamespaceDeleted',
          data: command.by.kind === 'operator' ? { unloaded: true } : {},
        },
      ];
    case 'AddDefinition': {
      const { kind, definition } = command;
      guardAbsent(kind, definition.name, state);
      return [{ type: factsOf[kind].added, data: { definition } }];
    }
    case 'ChangeDefinition': {
      const { kind, name, definition } = command;
      const from = definitionOf(kind, name, state);
      if (definition.name !== name) guardAbsent(kind, definition.name, state);
      return isSame(from, definition)
        ? []
        : [{ type: factsOf[kind].changed, data: { from, to: definition } }];
    }
    case 'RemoveDefinition': {
      const { kind, name } = command;
      const definition = definitionOf(kind, name, state);
      guardProtection(command, state, `${wordOf[kind]} ${name}`);
      return [{ type: factsOf[kind].removed, data: { definition } }];
    }
    case 'RemoveDefinitions': {
      const { kind } = command;
      guardProtection(command, state, `namespace ${attributes.namespace}`);
      const names = definitions[kind].map(({ name }) => name);
      return names.length === 0 ? [] : [{ type: factsOf[kind].emptied, data: { names } }];
    }
    case 'AddTags': {
      const from = definitions.tag.map(({ name }) => name);
      const to = command.append ? [...from, ...command.names] : command.names;
      guardDistinct('tag', to, attributes.namespace);
      return isSame(from, to) ? [] : [{ type: 'MetadefTagsReplaced', data: { from, to } }];
    }
    case 'LoadNamespace': {
      guardUnique(command.content);
      return differences(state, loaded(state, command.content, command.mode));
    }
  }
}

function decideUpdate(
  { attributes, claimId }: ChangeCommand & { type: 'UpdateNamespace' },
  state: Present,
): readonly NamespaceEvent[] {
  const from = state.attributes.namespace;
  const to = attributes.namespace;
  const content = { attributes, definitions: state.definitions };
  if (from === to) return differences(state, content);
  if (claimId === undefined || standing(state, claimId) === 'over') throw contested(to);
  return differences(state, content, {
    type: 'MetadefNamespaceRenamed',
    data: { from, to, claimId },
  });
}

const wordOf = {
  association: 'resource-type-association',
  property: 'property',
  object: 'object',
  tag: 'tag',
} as const satisfies Record<Kind, string>;

function definitionOf(kind: Kind, name: string, { attributes, definitions }: Present): Definition {
  const found = definitions[kind].find((definition) => definition.name === name);
  if (found !== undefined) return found;
  throw unknownDefinition(kind, name, attributes.namespace);
}

export const unknownDefinition = (kind: Kind, name: string, namespace: string): Refused =>
  new Refused(
    'definition-unknown',
    `The metadata definition ${wordOf[kind]} with name=${name} was not found in namespace=${namespace}.`,
  );

function guardAbsent(kind: Kind, name: string, { attributes, definitions }: Present): void {
  if (definitions[kind].some((definition) => definition.name === name))
    throw duplicateDefinition(kind, name, attributes.namespace);
}

function guardUnique({ attributes, definitions }: NamespaceContent): void {
  for (const kind of kinds)
    guardDistinct(
      kind,
      definitions[kind].map(({ name }) => name),
      attributes.namespace,
    );
}

function guardDistinct(kind: Kind, names: readonly string[], namespace: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw duplicateDefinition(kind, name, namespace);
    seen.add(name);
  }
}

export const duplicate = (namespace: string): Refused =>
  new Refused('namespace-exists', `The metadata definition namespace=${namespace} already exists.`);

const duplicateDefinition = (kind: Kind, name: string, namespace: string): Refused =>
  new Refused(
    'definition-exists',
    `A metadata definition ${wordOf[kind]} with name=${name} already exists in namespace=${namespace}.`,
  );

function guardProtection({ by }: ChangeCommand, { attributes }: Present, what: string): void {
  if (attributes.protected && by.kind === 'caller')
    throw new Refused(
      'namespace-protected',
      `Metadata definition ${what} is protected and cannot be deleted.`,
    );
}

/** Refuses what grew beyond what can be kept; what is there already may stay, and shrink. */
function guardSize(before: Present, events: readonly NamespaceEvent[]): void {
  if (events.length === 0) return;
  const after = events.reduce<Namespace>(evolve, before);
  if (after.status !== 'present' || lengthOf(after) <= lengthOf(before)) return;
  guardContent(after);
}

const lengthOf = ({ attributes, definitions }: NamespaceContent): number =>
  JSON.stringify([attributes, definitions]).length;

function guardContent(content: NamespaceContent): void {
  for (const [kind, { length }] of Object.entries(content.definitions))
    if (length > maxDefinitions)
      throw tooLarge(`${wordOf[kind as Kind]} definitions`, length, maxDefinitions);
  const length = lengthOf(content);
  if (length > maxNamespaceLength) throw tooLarge('characters', length, maxNamespaceLength);
}

const tooLarge = (what: string, count: number, most: number): Refused =>
  new Refused(
    'limit-exceeded',
    `The limit has been exceeded on the number of ${what} of a namespace. Attempted: ${count}, Maximum: ${most}`,
  );
