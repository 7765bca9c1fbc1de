import type { Json, JsonObject } from '../../domain/json.ts';

/**
 * Writes rows in the text format of `copy`: the key, then columns of these SQL types, by name, as `json_to_recordset`
 * would read them. What a row lacks is null.
 */
export function copyText(
  columns: Readonly<Record<string, string>>,
): (key: string, row: JsonObject) => string {
  const cells = Object.entries(columns).map(([column, type]) => [column, cellOf(type)] as const);
  return (key, row) => {
    let line = escaped(key);
    for (const [column, cell] of cells) {
      const value = row[column];
      line += `\t${value === null || value === undefined ? nothing : cell(value)}`;
    }
    return `${line}\n`;
  };
}

const nothing = '\\N';

type Cell = (value: Json) => string;

function cellOf(type: string): Cell {
  if (/^jsonb?\b/.test(type)) return (value) => escaped(JSON.stringify(value));
  return type.startsWith('text[]') ? arrayCell : plainCell;
}

/** Strings as they are, everything else as JSON has it, times among them. */
const plainCell: Cell = (value: Json | Date) => {
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'boolean') return String(value);
  if (value instanceof Date) return value.toJSON() ?? nothing;
  const json = JSON.stringify(value);
  return json === 'null' ? nothing : escaped(json);
};

const arrayCell: Cell = (value) =>
  escaped(`{${(value as readonly (string | null)[]).map(element).join(',')}}`);

const element = (text: string | null): string =>
  text === null ? 'null' : `"${text.replace(/["\\]/g, '\\$&')}"`;

const special = /[\\\t\n\r]|\p{Surrogate}/u;
const everySpecial = new RegExp(special, 'gu');
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

/** Half of a surrogate pair is no text: it goes as a byte that is none either, for Postgres to refuse. */
const escaped = (text: string): string =>
  special.test(text) ? text.replace(everySpecial, (sign) => escapes[sign] ?? '\\xED') : text;
