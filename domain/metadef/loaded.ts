import type { LoadMode } from './commands.ts';
import { type Definition, type Definitions, kinds, type NamespaceContent } from './content.ts';

/** What a namespace that is there becomes when the operator loads another content of it. */
export function loaded(
  here: NamespaceContent,
  given: NamespaceContent,
  mode: LoadMode,
): NamespaceContent {
  switch (mode) {
    case 'skip':
      return here;
    case 'overwrite':
      return given;
    case 'merge':
    case 'prefer-new': {
      const merge = mode === 'merge' ? keepingOld : preferringNew;
      return {
        attributes: mode === 'merge' ? here.attributes : given.attributes,
        definitions: Object.fromEntries(
          kinds.map((kind) => [kind, merge(here.definitions[kind], given.definitions[kind])]),
        ) as unknown as Definitions,
      };
    }
  }
}

type Merge = (here: readonly Definition[], given: readonly Definition[]) => readonly Definition[];

const without = (all: readonly Definition[], others: readonly Definition[]) => {
  const names = new Set(others.map(({ name }) => name));
  return all.filter(({ name }) => !names.has(name));
};

const keepingOld: Merge = (here, given) => [...here, ...without(given, here)];

const preferringNew: Merge = (here, given) => {
  const newer = new Map(given.map((definition) => [definition.name, definition]));
  return [...here.map((one) => newer.get(one.name) ?? one), ...without(given, here)];
};
