import { sightAfter } from '../image/visibility.ts';
import {
  attributeFields,
  type Definition,
  type Kind,
  kinds,
  type NamespaceContent,
} from './content.ts';
import { type AttributeChange, factsOf, type NamespaceEvent } from './events.ts';
import { isSame } from './same.ts';

/** What happened between two contents, as facts in the order of `sightAfter`, a change of name in its place. */
export function differences(
  before: NamespaceContent,
  after: NamespaceContent,
  renamed?: NamespaceEvent & { type: 'MetadefNamespaceRenamed' },
): readonly NamespaceEvent[] {
  const changes = attributeFields
    .filter((field) => before.attributes[field] !== after.attributes[field])
    .map(
      (field) =>
        ({
          field,
          from: before.attributes[field],
          to: after.attributes[field],
        }) as AttributeChange,
    );
  const changed = (sight: ReturnType<typeof sightAfter>): readonly NamespaceEvent[] => {
    const some = changes.filter((change) => sightAfter(change) === sight);
    return some.length > 0 ? [{ type: 'MetadefNamespaceUpdated', data: { changes: some } }] : [];
  };
  return [
    ...changed('fewer'),
    ...changed('same'),
    ...kinds.flatMap((kind) =>
      definitionDifferences(kind, before.definitions[kind], after.definitions[kind]),
    ),
    ...(renamed === undefined ? [] : [renamed]),
    ...changed('more'),
  ];
}

function definitionDifferences(
  kind: Kind,
  before: readonly Definition[],
  after: readonly Definition[],
): readonly NamespaceEvent[] {
  if (before === after) return [];
  const was = new Map(before.map((definition) => [definition.name, definition]));
  const is = new Set(after.map(({ name }) => name));
  const { added, changed, removed } = factsOf[kind];
  return [
    ...before
      .filter(({ name }) => !is.has(name))
      .map((definition) => ({ type: removed, data: { definition } })),
    ...after.flatMap((to): readonly NamespaceEvent[] => {
      const from = was.get(to.name);
      if (from === undefined) return [{ type: added, data: { definition: to } }];
      return isSame(from, to) ? [] : [{ type: changed, data: { from, to } }];
    }),
  ];
}
