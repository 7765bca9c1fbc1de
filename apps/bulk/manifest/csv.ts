import { CsvError, parse } from 'csv-parse/sync';
import { ManifestRefused } from './problems.ts';

const lists = new Set(['tags', 'stores', 'members']);
const numbers = new Set(['size', 'min_disk', 'min_ram']);
const flags = new Set(['protected', 'os_hidden', 'all_stores_must_succeed']);
const propertyColumn = /^property[:.](.+)$/s;

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

/** Images by rows, each with the line at which it begins. Cells that are empty say nothing. */
export function imagesOfCsv(
  text: string,
): readonly { readonly image: unknown; readonly line: number }[] {
  let line = 2;
  return rowsOf(text).map(({ record, info }) => {
    const begins = line;
    line = info.lines + 1;
    return { image: imageOf(record), line: begins };
  });
}

function rowsOf(text: string): readonly Row[] {
  try {
    return parse(text, {
      bom: true,
      columns: (names: readonly string[]) => distinct(names.map((name) => name.trim())),
      info: true,
      skip_empty_lines: true,
    }) as unknown as readonly Row[];
  } catch (error) {
    if (error instanceof ManifestRefused) throw error;
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === 'number' ? error.lines : null;
    throw new ManifestRefused([{ image: null, field: null, line, message: error.message }]);
  }
}

function distinct(names: readonly string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return [...names];
  const message = 'there are two columns of this name';
  throw new ManifestRefused([{ image: null, field: twice, line: 1, message }]);
}

function imageOf(record: Readonly<Record<string, string>>): unknown {
  const entries: [string, unknown][] = [];
  const properties: [string, string][] = [];
  for (const [column, cell] of Object.entries(record)) {
    if (cell === '') continue;
    const [, property] = propertyColumn.exec(column) ?? [];
    if (property === undefined) entries.push([column, cellValue(column, cell)]);
    else properties.push([property, cell]);
  }
  if (properties.length > 0) entries.push(['properties', Object.fromEntries(properties)]);
  return Object.fromEntries(entries);
}

/** What is no number or flag stays text, which the schema then refuses. */
function cellValue(column: string, cell: string): unknown {
  if (lists.has(column))
    return cell
      .split(';')
      .map((word) => word.trim())
      .filter((word) => word !== '');
  if (numbers.has(column) && /^\d+$/.test(cell)) return Number(cell);
  if (flags.has(column) && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}
