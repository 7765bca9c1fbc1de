import { HttpError } from '../http-error.ts';
import { isStorable, percentDecoded } from '../text.ts';

/** The parameters of a query string in their order, repeated ones as often as they came. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/** 400 for bytes that are not UTF-8, and for what cannot be in any text that is searched. */
export function parametersOf(queryString: string): Parameters {
  return queryString
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const [name, value] =
        equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
      return [plain(name), plain(value)] as const;
    });
}

function plain(part: string): string {
  const text = percentDecoded(part.replaceAll('+', ' '), 'The query string');
  if (!isStorable(text)) throw new HttpError(400, 'The query string contains a NUL character.');
  return text;
}

export const queryStringOf = (parameters: Parameters): string =>
  new URLSearchParams(
    parameters.map(([name, value]): [string, string] => [name, value]),
  ).toString();

/** The last value, as the original takes it where only one has a meaning. */
export const lastOf = (parameters: Parameters, name: string): string | undefined =>
  parameters.findLast(([given]) => given === name)?.[1];

export const allOf = (parameters: Parameters, name: string): readonly string[] =>
  parameters.filter(([given]) => given === name).map(([, value]) => value);
