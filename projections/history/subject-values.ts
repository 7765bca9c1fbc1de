import type { Json } from '../../domain/json.ts';
import type { Kind } from '../../domain/metadef/content.ts';
import type { Namespace } from '../../domain/metadef/state.ts';
import type { Webhook } from '../../domain/webhook/state.ts';
import {
  nothingKnown,
  type Value,
  type ValueKind,
  type Values,
  valuesFrom,
} from './differences.ts';
import type { Subject } from './subject.ts';

const known = new WeakMap<object, Values>();

/** Everything that is known of what is no image. */
export function valuesOfSubject(subject: Subject | undefined): Values {
  if (subject === undefined || subject.kind === 'image' || subject.kind === 'owned')
    return nothingKnown;
  const before = known.get(subject);
  if (before !== undefined) return before;
  const values = valuesFrom(valuesOf(subject));
  known.set(subject, values);
  return values;
}

function valuesOf(subject: Exclude<Subject, { kind: 'image' | 'owned' }>): Iterable<Value> {
  switch (subject.kind) {
    case 'namespace':
      return namespaceValues(subject.state);
    case 'webhook':
      return webhookValues(subject.state);
    case 'project':
      return [...subject.state.ledger.open.values()].map(
        ({ reservationId, imageId, act, amounts }) => ({
          kind: 'reservation',
          name: reservationId,
          value: { image_id: imageId, act, amounts: amounts as unknown as Json },
        }),
      );
  }
}

const kindOfDefinition = {
  association: 'resource_type',
  property: 'property',
  object: 'object',
  tag: 'tag',
} as const satisfies Record<Kind, ValueKind>;

const field = (name: string, value: Json): Value => ({ kind: 'field', name, value });

function* namespaceValues(state: Namespace): Generator<Value> {
  if (state.status === 'absent') return;
  yield field('status', state.status);
  if (state.status === 'deleted') return;
  const { namespace, displayName, description, visibility, owner } = state.attributes;
  yield field('namespace', namespace);
  yield field('display_name', displayName);
  yield field('description', description);
  yield field('visibility', visibility);
  yield field('protected', state.attributes.protected);
  yield field('owner', owner);
  for (const [kind, definitions] of Object.entries(state.definitions))
    for (const definition of definitions)
      yield {
        kind: kindOfDefinition[kind as Kind],
        name: definition.name,
        value: definition as Json,
      };
}

function* webhookValues(state: Webhook): Generator<Value> {
  if (state.status === 'absent') return;
  yield field('status', state.status);
  if (state.status === 'removed') return;
  yield field('url', state.url);
  yield field('description', state.description);
  yield field('project', state.project);
  yield field('types', state.filter.types);
  yield field('images', state.filter.images);
  yield field('disabled', state.disabled as unknown as Json);
  yield field('delivered', state.delivered);
  yield field('secrets', state.secrets as unknown as Json);
}
