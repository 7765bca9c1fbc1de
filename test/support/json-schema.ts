import { spawnSync } from 'node:child_process';
import { requirePackage } from './packages.ts';

type Json = unknown;

/** Reads {schemas: [[dialect, schema]], cases: [[schema's index, document]]}, prints what is wrong, one a line. */
const program = `
import json, sys, warnings
warnings.simplefilter("ignore")
import jsonschema
asked = json.load(sys.stdin)
validators = []
for dialect, schema in asked["schemas"]:
    of = getattr(jsonschema, dialect)
    of.check_schema(schema)
    validators.append(of(schema))
for index, document in asked["cases"]:
    for error in validators[index].iter_errors(document):
        print(json.dumps([list(error.absolute_path), error.message[:300], document])[:2000])
`;

/**
 * What Python's jsonschema has against these documents, each with the schema that it shall fit: nothing, or a line each.
 * Throws when a schema is none.
 */
export function misfits(
  cases: readonly { readonly schema: Json; readonly document: Json }[],
  dialect: 'Draft202012Validator' | 'Draft7Validator' = 'Draft202012Validator',
): readonly string[] {
  requirePackage('python3-glanceclient'); // depends on python3-jsonschema
  const schemas = [...new Set(cases.map(({ schema }) => schema))];
  const input = JSON.stringify({
    schemas: schemas.map((schema) => [dialect, schema]),
    cases: cases.map(({ schema, document }) => [schemas.indexOf(schema), document]),
  });
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', program], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

/** The same schema, which takes no field that it does not name. */
export function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const same = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]));
  const isOpen = 'properties' in schema && !('additionalProperties' in schema);
  return isOpen ? { ...same, additionalProperties: false } : same;
}
