import type { Json, JsonObject } from '../../domain/json.ts';
import type { Difference } from '../../projections/history/differences.ts';

/** For people: a line per change with who and from where, and a line below for each value. */
export const timeline = (documents: readonly JsonObject[]): string =>
  documents.map((document) => `${entry(document).join('\n    ')}\n`).join('');

function entry(document: JsonObject): readonly string[] {
  const { time, type, rule, position } = document;
  const refusal = document.refusal as JsonObject | undefined;
  const head = `${time}  ${refusal === undefined ? type : 'REFUSED'}  by ${whoIn(document)}`;
  if (refusal !== undefined) {
    const { action, rule: refusing, code, count } = refusal;
    const often = count === 1 ? '' : `, ${count} times`;
    return [head, `${action ?? 'several calls'}: ${refusing ?? code ?? 'no'} says no${often}`];
  }
  const changes = document.changes as unknown as readonly Difference[];
  return [
    `${head}${rule === null ? '' : `, allowed by ${rule}`}  (position ${position})`,
    ...changes.map(
      ({ kind, name, old, new: now }) =>
        `${kind === 'field' ? name : `${kind} ${name}`}: ${shown(old)} -> ${shown(now)}`,
    ),
    ...Object.entries((document.details ?? {}) as JsonObject).map(
      ([name, value]) => `(${name}: ${shown(value ?? null)})`,
    ),
  ];
}

export function whoIn({ actor }: JsonObject): string {
  const { kind, part, user_id, project_id, person } = actor as JsonObject;
  if (kind === 'system') return `the ${part}`;
  const { user_name, remote_address } = (person ?? {}) as JsonObject;
  const name = typeof user_name === 'string' && user_name !== user_id ? ` (${user_name})` : '';
  const from = person === null ? 'an erased address' : remote_address || 'an unknown address';
  return `${user_id}${name} of ${project_id ?? 'no project'} from ${from}`;
}

const longest = 72;

function shown(value: Json): string {
  if (value === null) return '-';
  const text = JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
