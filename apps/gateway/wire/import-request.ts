import type { JsonObject } from '../../../domain/json.ts';
import { HttpError } from '../http-error.ts';
import { type AskedMethod, isObject, methodFrom, type UrlRules } from './import-method.ts';

/** The stores that an import can go to. */
export interface StoreChoice {
  readonly several: boolean;
  readonly defaultId: string;
  /** Those that can be written, in the operator's order. */
  readonly writable: readonly string[];
}

export interface AskedImport {
  readonly method: AskedMethod;
  /** All that can be written were meant. */
  readonly everywhere?: boolean;
  /** Where to; `unknown` are named, too, and no store that can be written. */
  readonly stores: readonly string[];
  readonly unknown: readonly string[];
  readonly allStoresMustSucceed: boolean;
}

/** The document of `POST /v2/images/{id}/import`, and its header that names a store; 400 for what makes no sense. */
export function importRequestFrom(
  document: unknown,
  header: string,
  enabled: readonly string[],
  choice: StoreChoice,
  rules: UrlRules,
): AskedImport {
  if (!isObject(document)) throw new HttpError(400, 'An import must be a JSON object.');
  const allStoresMustSucceed = flag(document, 'all_stores_must_succeed') ?? true;
  if (!allStoresMustSucceed && !choice.several)
    throw new HttpError(
      400,
      'all_stores_must_succeed can be false only where there are several stores.',
    );
  const stores = storesFrom(document, header, choice);
  return {
    method: methodFrom(document, enabled, rules),
    everywhere: flag(document, 'all_stores') ?? false,
    stores,
    unknown: stores.filter((id) => !choice.writable.includes(id)),
    allStoresMustSucceed,
  };
}

function storesFrom(
  document: JsonObject,
  header: string,
  { defaultId, writable }: StoreChoice,
): readonly string[] {
  const all = flag(document, 'all_stores') ?? false;
  const named = namesIn(document);
  if (all && (named.length > 0 || header !== ''))
    throw new HttpError(400, 'all_stores cannot be combined with stores or X-Image-Meta-Store.');
  if (named.length > 0 && header !== '')
    throw new HttpError(400, 'stores cannot be combined with X-Image-Meta-Store.');
  if (all) return writable;
  return named.length > 0 ? named : [header || defaultId];
}

/** An empty list names none. */
function namesIn({ stores = [] }: JsonObject): readonly string[] {
  if (Array.isArray(stores) && stores.every((id) => typeof id === 'string'))
    return [...new Set<string>(stores)];
  throw new HttpError(400, "'stores' must be a list of store ids.");
}

function flag(document: JsonObject, name: string): boolean | undefined {
  const value = document[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new HttpError(400, `'${name}' must be true or false.`);
}
