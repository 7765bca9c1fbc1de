import { z } from 'zod';
import { outsideFacts } from '../../domain/outside/exposure.ts';
import { envelope, schemaId } from './cloud-event.ts';
import { outsideData } from './data.ts';
import { testData, testName } from './webhook-test.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** AsyncAPI's own is a superset of draft 7. */
type Dialect = 'draft-2020-12' | 'draft-7';

/** Fields may be added to what is published, so no schema forbids them: that is what `input` means here. */
export function published(schema: z.ZodType, target: Dialect = 'draft-2020-12'): Schema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target });
  return rest;
}

/** Of every document about a fact, whatever its type. */
export function envelopeSchema(target?: Dialect): Schema {
  const { properties, ...rest } = published(envelope, target);
  return {
    ...rest,
    properties: {
      ...(properties as Schema),
      data: { type: 'object', description: 'As the schema says that `dataschema` names.' },
    },
    oneOf: [{ required: ['data'] }, { required: ['dataref'] }],
  };
}

const file = (name: string, title: string, schema: Schema): readonly [string, Schema] => [
  `${name}.json`,
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: schemaId(name),
    title,
    ...schema,
  },
];

/** JSON Schema by file name: the envelope, and the data of each type under the name that its events carry. */
export const schemaFiles: ReadonlyMap<string, Schema> = new Map([
  file('cloudevent', 'CloudEvent', envelopeSchema()),
  ...outsideFacts.map(({ kind, type }) =>
    file(`${kind}.${type}`, type, published(outsideData[type])),
  ),
  file(testName, 'Test', published(testData)),
]);
