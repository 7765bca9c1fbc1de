import { z } from 'zod';
import type { OutsideMetadefType } from '../../domain/outside/exposure.ts';

const text = z.string();
const names = z.array(text);
const value = z.union([text, z.boolean(), z.null()]);

/** Kept as it is, since a record would lose an entry that is called `__proto__`. */
const definition = z
  .any()
  .refine(isNamed)
  .meta({ type: 'object', properties: { name: { type: 'string' } }, required: ['name'] })
  .describe('As the metadefs API has it, with the name by which it is known in its namespace.');
const definitions = z.array(definition);

const one = z.object({ definition });
const changed = z.object({ from: definition, to: definition });
const emptied = z.object({ names: names.describe('All that there were.') });

const visibility = z.enum(['public', 'private']);

/** What the document of each fact about a namespace carries: see `data.ts`. */
export const metadefData = {
  MetadefNamespaceCreated: z.object({
    namespace: text.describe('Its name, which may change; the id is in `subject`.'),
    displayName: text.nullable(),
    description: text.nullable(),
    visibility,
    protected: z.boolean(),
    owner: text.nullable().describe('Id of the owning project.'),
    definitions: z.object({
      association: definitions.describe('Types of resources that it is for.'),
      property: definitions,
      object: definitions,
      tag: definitions,
    }),
  }),
  MetadefNamespaceUpdated: z.object({
    changes: z
      .array(z.object({ field: text, from: value, to: value }))
      .describe('Fields by the names that MetadefNamespaceCreated has for them.'),
  }),
  MetadefNamespaceRenamed: z.object({ from: text, to: text }),
  MetadefNamespaceDeleted: z.object({
    unloaded: z.boolean().optional().describe('The operator took it away, at the machine itself.'),
  }),
  ResourceTypeAssociated: one,
  ResourceTypeAssociationChanged: changed,
  ResourceTypeDissociated: one,
  ResourceTypesDissociated: emptied,
  MetadefPropertyAdded: one,
  MetadefPropertyChanged: changed,
  MetadefPropertyRemoved: one,
  MetadefPropertiesRemoved: emptied,
  MetadefObjectAdded: one,
  MetadefObjectChanged: changed,
  MetadefObjectRemoved: one,
  MetadefObjectsRemoved: emptied,
  MetadefTagAdded: one,
  MetadefTagChanged: changed,
  MetadefTagRemoved: one,
  MetadefTagsRemoved: emptied,
  MetadefTagsReplaced: z.object({ from: names, to: names }),
} as const satisfies Readonly<Record<OutsideMetadefType, z.ZodObject>>;

/** Fields that stay inside: see `data.ts`. */
export const metadefWithheld: Readonly<Record<string, readonly string[]>> = {
  MetadefNamespaceCreated: ['claimId'],
  MetadefNamespaceRenamed: ['claimId'],
};

function isNamed(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string'
  );
}
