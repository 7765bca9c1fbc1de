import { STATUS_CODES } from 'node:http';

/** Where the original's reason phrases differ from Node's. */
const titles: Readonly<Record<number, string>> = {
  413: 'Request Entity Too Large',
  416: 'Requested Range Not Satisfiable',
};

export const reasonPhrase = (status: number): string =>
  titles[status] ?? STATUS_CODES[status] ?? 'Unknown';

export interface ErrorBody {
  readonly type: string;
  readonly text: string;
}

/**
 * The body of an error in the form that the client's `Accept` asks for (reference, section 1.3): JSON only where it is
 * preferred, HTML where that is acceptable (clients strip the tags and join the lines), else plain text.
 */
export function errorBody(status: number, message: string, accept: string | undefined): ErrorBody {
  const title = reasonPhrase(status);
  const line = `${status} ${title}`;
  const html = quality('text/html', accept);
  const json = quality('application/json', accept);
  if (json > html)
    return {
      type: 'application/json; charset=UTF-8',
      text: JSON.stringify({ message, code: line, title }),
    };
  if (html > 0) return { type: 'text/html; charset=UTF-8', text: page(line, message) };
  return { type: 'text/plain; charset=UTF-8', text: `${line}\n\n${message}\n` };
}

const page = (line: string, message: string): string => `<html>
 <head>
  <title>${line}</title>
 </head>
 <body>
  <h1>${line}</h1>
  ${escaped(message)}<br /><br />



 </body>
</html>`;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

/** For text between tags alone: quotes stay, since glanceclient shows its user the entities that it finds. */
const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => entities[character] ?? character);

/** The `q` of the most specific range that covers a type, 0 when none does; no header accepts everything. */
function quality(type: string, accept: string | undefined): number {
  if (accept === undefined) return 1;
  const family = `${type.split('/')[0]}/*`;
  const ranges = new Map(accept.split(',').map(rangeOf));
  return ranges.get(type) ?? ranges.get(family) ?? ranges.get('*/*') ?? 0;
}

function rangeOf(text: string): readonly [string, number] {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith('q='));
  const value = q === undefined ? 1 : Number(q.slice(2));
  return [range, Number.isFinite(value) ? value : 0];
}
