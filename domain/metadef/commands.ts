import type { Caller, Rule } from '../image/access.ts';
import type { Definition, Kind, NamespaceAttributes, NamespaceContent } from './content.ts';

/** The operator, at the machine itself: no rule is asked, and protection does not hold. */
export const operator = { kind: 'operator' } as const;
export type Party = { readonly kind: 'caller'; readonly caller: Caller } | typeof operator;

/** How what an operator loads meets a namespace that is there (`glance-manage db_load_metadefs`). */
export type LoadMode =
  /** It stays as it is. */
  | 'skip'
  /** What it lacks is added. */
  | 'merge'
  /** The same, and what both have becomes what is loaded. */
  | 'prefer-new'
  /** It becomes what is loaded, and nothing besides. */
  | 'overwrite';

/** `namespace` is the name by which the caller knows it: meanwhile renamed, it is unknown. */
type Ask<Type extends string, Data> = {
  readonly type: Type;
  readonly by: Party;
  readonly namespace: string;
} & Readonly<Data>;

export type ChangeCommand =
  /** `claimId` is the claim on the new name, where the name changes. */
  | Ask<'UpdateNamespace', { attributes: NamespaceAttributes; claimId?: string }>
  | Ask<'DeleteNamespace', Record<never, never>>
  | Ask<'AddDefinition', { kind: Kind; definition: Definition }>
  /** `name` is the one that it has; the definition may bring another. */
  | Ask<
      'ChangeDefinition',
      { kind: Exclude<Kind, 'association'>; name: string; definition: Definition }
    >
  | Ask<'RemoveDefinition', { kind: Kind; name: string }>
  | Ask<'RemoveDefinitions', { kind: Exclude<Kind, 'association'> }>
  /** With `append` the others stay. */
  | Ask<'AddTags', { names: readonly string[]; append: boolean }>
  | Ask<'LoadNamespace', { content: NamespaceContent; mode: LoadMode }>;

export type NamespaceCommand =
  | Ask<'CreateNamespace', { claimId: string; content: NamespaceContent }>
  | ChangeCommand
  /** Of who wants the name that this namespace claimed and does not hold. */
  | { readonly type: 'AbandonClaim'; readonly claimId: string };

const ruleOfKind = {
  association: {
    AddDefinition: 'add_metadef_resource_type_association',
    RemoveDefinition: 'remove_metadef_resource_type_association',
  },
  property: {
    AddDefinition: 'add_metadef_property',
    ChangeDefinition: 'modify_metadef_property',
    RemoveDefinition: 'remove_metadef_property',
  },
  object: {
    AddDefinition: 'add_metadef_object',
    ChangeDefinition: 'modify_metadef_object',
    RemoveDefinition: 'delete_metadef_object',
  },
  tag: {
    AddDefinition: 'add_metadef_tag',
    ChangeDefinition: 'modify_metadef_tag',
    RemoveDefinition: 'delete_metadef_tag',
  },
} as const;

/** The rules that a caller's command needs; its events name the first. */
export function rulesOf(
  command: Exclude<NamespaceCommand, { type: 'AbandonClaim' | 'LoadNamespace' }>,
): readonly [Rule, ...Rule[]] {
  switch (command.type) {
    case 'CreateNamespace': {
      const { definitions } = command.content;
      const added = (['association', 'object', 'property', 'tag'] as const)
        .filter((kind) => definitions[kind].length > 0)
        .map((kind) => ruleOfKind[kind].AddDefinition);
      return ['add_metadef_namespace', ...added];
    }
    case 'UpdateNamespace':
      return ['modify_metadef_namespace'];
    case 'DeleteNamespace':
      return ['delete_metadef_namespace'];
    case 'RemoveDefinitions':
      return command.kind === 'tag'
        ? ['delete_metadef_namespace', 'delete_metadef_tags']
        : ['delete_metadef_namespace'];
    case 'AddTags':
      return ['add_metadef_tags'];
    case 'ChangeDefinition':
      return [ruleOfKind[command.kind].ChangeDefinition];
    case 'AddDefinition':
    case 'RemoveDefinition':
      return [ruleOfKind[command.kind][command.type]];
  }
}
