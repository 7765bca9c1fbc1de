import { HttpError } from '../http-error.ts';

/** `in:` lists, `eq:` or a bare value. A value that contains a colon must come as `eq:` or in quotes. */
export function oneOfValues(name: string, text: string): readonly string[] {
  const { operator, operand } = splitOperator(text);
  if (operator === undefined || operator === 'eq') return [operand];
  if (operator === 'in') return listed(operand);
  throw new HttpError(400, `Unable to filter ${name} by the unknown operator "${operator}".`);
}

const timeOperators = ['gt', 'gte', 'lt', 'lte', 'eq', 'neq'] as const;
type TimeOperator = (typeof timeOperators)[number];

export function timeCondition(
  name: string,
  text: string,
): { readonly comparison: TimeOperator; readonly value: Date } {
  const { operator = 'eq', operand } = splitOperator(text);
  const comparison = timeOperators.find((known) => known === operator);
  if (comparison === undefined)
    throw new HttpError(400, `Unable to filter ${name} by the unknown operator "${operator}".`);
  const value = isoTime(operand);
  if (value === undefined)
    throw new HttpError(400, `Unable to filter ${name}: "${operand}" is not an ISO 8601 time.`);
  return { comparison, value };
}

/** A bare date holds colons too, so it is recognised before an operator is looked for. */
function splitOperator(text: string): { operator: string | undefined; operand: string } {
  const colon = text.indexOf(':');
  if (colon < 0 || isoTime(text)) return { operator: undefined, operand: text };
  return { operator: text.slice(0, colon), operand: text.slice(colon + 1) };
}

const isoPattern =
  /^(?<year>\d{4})(?<dash>-?)(?<month>\d\d)\k<dash>(?<day>\d\d)(?:[T ](?<hours>\d\d)(?<colon>:?)(?<minutes>\d\d)(?:\k<colon>(?<seconds>\d\d)(?:[.,]\d+)?)?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * ISO 8601, extended or basic (`20200131T235959Z`), cut to whole seconds, UTC where it names no zone; undefined for
 * anything else.
 */
function isoTime(text: string): Date | undefined {
  const groups = isoPattern.exec(text)?.groups;
  if (!groups) return undefined;
  const { year, month, day, hours = '00', minutes = '00', seconds = '00', zone = 'Z' } = groups;
  const time = new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}${fullZone(zone)}`);
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number.isNaN(time.getTime()) || Number(day) > lastDay ? undefined : time;
}

function fullZone(zone: string): string {
  if (zone.toUpperCase() === 'Z') return 'Z';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/** Comma separated; a value with commas goes in double quotes, which touch a comma or an end; `\"` is a quote. */
function listed(text: string): readonly string[] {
  const values: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = /^"((?:[^"\\]|\\.)*)"(,|$)/s.exec(rest);
    const bare = quoted ? null : /^([^,"]*(?:\\"[^,"]*)*)(,|$)/s.exec(rest);
    const found = quoted ?? bare;
    if (!found) throw new HttpError(400, `Invalid filter value ${text}: its quotes do not match.`);
    const value = (found[1] ?? '').replace(/\\(["\\])/g, '$1');
    if (quoted || value !== '') values.push(value);
    rest = rest.slice(found[0].length);
    if (found[2] === '') return values;
  }
}

/** A count of 0 or more. */
export function wholeNumber(name: string, text: string): number {
  const value = integer(text);
  if (value !== undefined && value >= 0) return value;
  throw new HttpError(400, `${name} must be a whole number, not "${text}".`);
}

/** Beyond what a number holds exactly it makes no difference how far; undefined for what is no integer. */
export function integer(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text.trim())) return undefined;
  const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number;
  return Math.max(MIN_SAFE_INTEGER, Math.min(Number(text), MAX_SAFE_INTEGER));
}
