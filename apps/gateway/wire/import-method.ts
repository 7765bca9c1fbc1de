import type { Expected, ImportMethod } from '../../../domain/image/events.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { type AddressGuard, UrlRefused } from '../../../infra/net/address-guard.ts';
import { HttpError } from '../http-error.ts';
import { isUuid } from './image-schema.ts';

/** A method as it is asked for: where another region is, is still to be found out. */
export type AskedMethod =
  | Extract<ImportMethod, { name: 'glance-direct' | 'web-download' | 'copy-image' }>
  | Omit<Extract<ImportMethod, { name: 'glance-download' }>, 'endpoint'>;

/** Where strangers' URLs may lead. */
export type UrlRules = Pick<AddressGuard, 'examine'>;

/** How each method is read from `method` of the request (reference, section 9.1). */
const methods: Readonly<Record<string, (given: JsonObject, rules: UrlRules) => AskedMethod>> = {
  'glance-direct': () => ({ name: 'glance-direct' }),
  'copy-image': () => ({ name: 'copy-image' }),
  'web-download': (given, rules) => ({
    name: 'web-download',
    uri: urlIn('uri', given.uri, rules),
    expected: expectedIn(given, rules),
  }),
  'glance-download': ({
    glance_region: region,
    glance_image_id: imageId,
    glance_service_interface: face = 'public',
  }) => {
    if (typeof region !== 'string' || region === '')
      throw new HttpError(400, "glance-download needs a 'glance_region'.");
    if (typeof imageId !== 'string' || !isUuid(imageId))
      throw new HttpError(400, "glance-download needs a 'glance_image_id', which is a UUID.");
    if (face !== 'public' && face !== 'internal' && face !== 'admin')
      throw new HttpError(400, "'glance_service_interface' is public, internal or admin.");
    return { name: 'glance-download', region, imageId: imageId.toLowerCase(), interface: face };
  },
};

/** Those of the operator's choice that this release can do. */
export const enabledMethods = (chosen: readonly string[]): readonly string[] =>
  chosen.filter((name) => Object.hasOwn(methods, name));

export function methodFrom(
  { method }: JsonObject,
  enabled: readonly string[],
  rules: UrlRules,
): AskedMethod {
  if (!isObject(method)) throw new HttpError(400, "'method' is required, as a JSON object.");
  const { name } = method;
  if (typeof name !== 'string') throw new HttpError(400, "'method' needs a 'name'.");
  const read = enabled.includes(name) ? methods[name] : undefined;
  if (read !== undefined) return read(method, rules);
  throw new HttpError(
    400,
    `Unknown import method name '${name}': this site has ${enabled.join(', ') || 'none'}.`,
  );
}

const mostUrlCharacters = 4096;

/** What can be said of a URL at once; its address is looked at when it is fetched. */
export function urlIn(field: string, given: unknown, rules: UrlRules): string {
  if (typeof given !== 'string' || given === '')
    throw new HttpError(400, `'${field}' is required.`);
  if (given.length > mostUrlCharacters)
    throw new HttpError(400, `'${field}' can have at most ${mostUrlCharacters} characters.`);
  try {
    rules.examine(given);
    return given;
  } catch (error) {
    if (!(error instanceof UrlRefused)) throw error;
    throw new HttpError(400, `'${field}' does not pass filtering: ${error.message}.`);
  }
}

/** `checksum` is `ALGORITHM:HEX`, or hex whose length tells the algorithm; `checksum_url` leads to a vendor's list. */
function expectedIn(
  { checksum, checksum_url: sums }: JsonObject,
  rules: UrlRules,
): Expected | null {
  if (checksum == null && sums == null) return null;
  return {
    digests: checksum == null ? {} : digestIn(checksum),
    size: null,
    sums: sums == null ? null : urlIn('checksum_url', sums, rules),
  };
}

const hexDigits = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const;

function digestIn(given: unknown): Expected['digests'] {
  const [, named, hex = ''] =
    /^(?:(md5|sha1|sha256|sha512):)?([0-9a-f]+)$/.exec(String(given).toLowerCase()) ?? [];
  const known = Object.entries(hexDigits).find(
    ([name, digits]) => digits === hex.length && (named ?? name) === name,
  );
  if (typeof given === 'string' && known !== undefined) return { [known[0]]: hex };
  throw new HttpError(
    400,
    "'checksum' must be md5:, sha1:, sha256: or sha512: with as many hex digits as that has.",
  );
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
