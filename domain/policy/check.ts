import {
  type Expression,
  everybody,
  nobody,
  type Operand,
  type Placeholder,
} from './expression.ts';
import { BadRule, shown } from './policy-refused.ts';

const callerName = /^[A-Za-z_][\w-]*(\.[\w-]+)*$/;
const ruleName = /^[^\s()'"%]+$/;
const number = /^[+-]?\d+(\.\d+)?$/;

/** The text inside quotes that enclose the whole, undefined if none do. Throws BadRule. */
function unquoted(written: string): string | undefined {
  if (!/['"]/.test(written)) return undefined;
  const inside = /^(?:'([^']*)'|"([^"]*)")$/.exec(written);
  const text = inside?.[1] ?? inside?.[2];
  if (text === undefined)
    throw new BadRule(`quotes must enclose the whole side in ${shown(written)}`);
  if (text.includes('%('))
    throw new BadRule(
      `${shown(written)} is taken as it stands; write the placeholder without quotes`,
    );
  return text;
}

const constants = new Map<string, Operand>([
  ['true', { kind: 'constant', value: true }],
  ['false', { kind: 'constant', value: false }],
  ['none', { kind: 'constant', value: null }],
]);

/** Constants in Python's spelling or all lower case. */
const constantOf = (written: string): Operand | undefined =>
  /^(True|False|None|true|false|none)$/.test(written)
    ? constants.get(written.toLowerCase())
    : undefined;

/** Throws BadRule on a percent sign that begins neither `%(name)s` nor `%%`. */
function templateOf(written: string): Operand {
  const parts: (string | Placeholder)[] = [];
  let text = '';
  for (const [found, name] of written.matchAll(/%\(([^()\s%]+)\)s|%%(?!\()|[^%]+|%/g)) {
    if (found === '%')
      throw new BadRule(
        `in ${shown(written)} a '%' must begin '%(name)s'; write '%%' for the sign itself`,
      );
    if (name === undefined) text += found === '%%' ? '%' : found;
    else {
      if (text !== '') parts.push(text);
      text = '';
      parts.push({ name });
    }
  }
  if (parts.length === 0) return { kind: 'text', text };
  return { kind: 'target', parts: text === '' ? parts : [...parts, text] };
}

function wordOf(written: string): Operand {
  const text = unquoted(written);
  return text === undefined ? templateOf(written) : { kind: 'text', text };
}

const valueSide = (written: string): Operand => constantOf(written) ?? wordOf(written);

function subjectSide(written: string): Operand {
  if (callerName.test(written)) return constantOf(written) ?? { kind: 'caller', name: written };
  const subject = valueSide(written);
  if (subject.kind === 'text' && !number.test(written) && unquoted(written) === undefined)
    throw new BadRule(`${shown(written)} is no attribute of a caller; quote it if it is a text`);
  return subject;
}

/** Where the first colon outside quotes is, -1 if there is none. */
const colonOf = (written: string): number => {
  const before = /^(?:"[^"]*"|'[^']*'|[^:'"])*(?=:)/.exec(written);
  return before === null ? -1 : before[0].length;
};

/** One check without `and`, `or`, `not` or parentheses around it. Throws BadRule. */
export function parseCheck(written: string): Expression {
  if (written === '@') return everybody;
  if (written === '!') return nobody;
  const colon = colonOf(written);
  if (colon < 0)
    throw new BadRule(
      `${shown(written)} is not a check; write 'role:name', 'rule:name' or 'name:value'`,
    );
  const kind = written.slice(0, colon);
  const rest = written.slice(colon + 1);
  if (kind === '' || rest === '')
    throw new BadRule(
      `a side of ${shown(written)} is empty; write both sides together, without spaces`,
    );
  if (/^(role|rule|https?)$/i.test(kind) && kind !== kind.toLowerCase())
    throw new BadRule(
      `${shown(written)} is no check; write '${kind.toLowerCase()}:' in lower case`,
    );
  if (kind === 'http' || kind === 'https')
    throw new BadRule(
      `${shown(written)} asks another server, which is not supported; use role: or attribute checks`,
    );
  if (kind === 'role') return { kind: 'role', role: wordOf(rest) };
  if (kind !== 'rule') return { kind: 'same', subject: subjectSide(kind), value: valueSide(rest) };
  if (!ruleName.test(rest)) throw new BadRule(`${shown(rest)} cannot be the name of a rule`);
  return { kind: 'rule', name: rest };
}
