import { outsideTypes } from '../../../domain/outside/exposure.ts';
import {
  type SignatureScheme,
  signatureSchemes,
  type WebhookFilter,
} from '../../../domain/webhook/events.ts';
import { typeNamed } from '../../../infra/outside/type-named.ts';
import type { AttemptQuery } from '../../../infra/webhooks/progress-store.ts';
import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';
import { isUuid } from '../wire/image-schema.ts';
import { lastOf, type Parameters } from '../wire/query-string.ts';

export interface AskedWebhook {
  readonly project: string | null;
  readonly url: string;
  readonly description: string;
  readonly filter: WebhookFilter;
  readonly scheme: SignatureScheme;
  /** Undefined: from now on. */
  readonly after: bigint | undefined;
}

export interface AskedChange {
  readonly url?: string | undefined;
  readonly description?: string | undefined;
  readonly types?: readonly string[] | null | undefined;
  readonly images?: readonly string[] | null | undefined;
  readonly after?: bigint | undefined;
}

type Body = Readonly<Record<string, unknown>>;

const mostUrl = 2_048;
const mostDescription = 1_024;
const mostImages = 100;
const mostOverlapSeconds = 30 * 86_400;
const usualOverlapSeconds = 86_400;
const lastPosition = 2n ** 63n - 1n;

/** What `POST /webhooks/v1/endpoints` asks. `own` is the caller's project. */
export function askedWebhookFrom(given: unknown, own: string | null): AskedWebhook {
  const body = objectFrom(given, [...changeable, 'signature', 'project', 'all_projects']);
  if (body.url === undefined) throw new HttpError(400, 'url is required.');
  const { url = '', description = '', types = null, images = null, after } = changesFrom(body);
  return {
    url,
    description,
    filter: { types, images },
    after,
    project: projectFrom(body, own),
    scheme: schemeFrom(body.signature) ?? 'v1',
  };
}

/** What `PATCH` of one asks: fields that are named. */
export const askedChangeFrom = (given: unknown): AskedChange =>
  changesFrom(objectFrom(given, changeable));

export function askedRotationFrom(given: unknown): {
  readonly scheme: SignatureScheme | undefined;
  readonly overlapMs: number;
} {
  const body = objectFrom(given, ['signature', 'overlap_seconds']);
  const { overlap_seconds: seconds = usualOverlapSeconds } = body;
  if (!Number.isInteger(seconds) || Number(seconds) < 0 || Number(seconds) > mostOverlapSeconds)
    throw new HttpError(400, `overlap_seconds must be a number from 0 to ${mostOverlapSeconds}.`);
  return { scheme: schemeFrom(body.signature), overlapMs: Number(seconds) * 1_000 };
}

export interface AskedPage {
  readonly project: string | undefined;
  readonly marker: string | undefined;
  readonly limit: number;
}

export function askedPageFrom(parameters: Parameters, most: number): AskedPage {
  knowing(parameters, ['project', 'marker', 'limit']);
  const marker = lastOf(parameters, 'marker');
  if (marker !== undefined && !isUuid(marker))
    throw new HttpError(400, 'The parameter marker must be the id of a webhook.');
  return {
    project: lastOf(parameters, 'project'),
    marker: marker?.toLowerCase(),
    limit: limitFrom(lastOf(parameters, 'limit'), most),
  };
}

export function askedAttemptsFrom(parameters: Parameters, most: number): AttemptQuery {
  knowing(parameters, ['event', 'delivered', 'marker', 'limit']);
  const event = lastOf(parameters, 'event');
  if (event !== undefined && !isUuid(event))
    throw new HttpError(400, 'The parameter event must be the id of an event.');
  const delivered = lastOf(parameters, 'delivered');
  if (delivered !== undefined && delivered !== 'true' && delivered !== 'false')
    throw new HttpError(400, 'The parameter delivered must be true or false.');
  return {
    eventId: event?.toLowerCase(),
    delivered: delivered === undefined ? undefined : delivered === 'true',
    below: positionFrom('The parameter marker', lastOf(parameters, 'marker')),
    limit: limitFrom(lastOf(parameters, 'limit'), most),
  };
}

const changeable = ['url', 'description', 'types', 'images', 'after'];

const changesFrom = (body: Body): AskedChange => ({
  url: textFrom('url', body.url, mostUrl),
  description: textFrom('description', body.description, mostDescription),
  types: listFrom('types', body.types, outsideTypes.length, typeNamed),
  images: listFrom('images', body.images, mostImages, (id) =>
    typeof id === 'string' && isUuid(id) ? id.toLowerCase() : undefined,
  ),
  after: positionFrom('after', body.after),
});

function projectFrom({ project, all_projects: all = false }: Body, own: string | null) {
  if (typeof all !== 'boolean') throw new HttpError(400, 'all_projects must be true or false.');
  if (all && project !== undefined) throw new HttpError(400, 'Say either project or all_projects.');
  if (all) return null;
  const named = textFrom('project', project, 255) ?? own;
  if (named === null || named === '')
    throw new HttpError(403, 'This call needs a token that is scoped to a project.');
  return named;
}

function schemeFrom(given: unknown): SignatureScheme | undefined {
  if (given === undefined) return undefined;
  const scheme = signatureSchemes.find((one) => one === given);
  if (scheme !== undefined) return scheme;
  throw new HttpError(400, `signature must be one of ${signatureSchemes.join(', ')}.`);
}

function objectFrom(given: unknown, known: readonly string[]): Body {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new HttpError(400, 'The request body must be a JSON object.');
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return given as Body;
  throw new HttpError(400, `There is no field '${unknown}' here. There are: ${known.join(', ')}.`);
}

function textFrom(name: string, given: unknown, most: number): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && given.length <= most && isStorable(given)) return given;
  throw new HttpError(400, `${name} must be text of up to ${most} characters.`);
}

function listFrom(
  name: string,
  given: unknown,
  most: number,
  read: (item: unknown) => string | undefined,
): readonly string[] | null | undefined {
  if (given === undefined || given === null) return given;
  if (!Array.isArray(given) || given.length === 0 || given.length > most)
    throw new HttpError(400, `${name} must be a list of 1 to ${most}, or null for all.`);
  const items = given.map((item: unknown) => {
    const found = read(item);
    if (found !== undefined) return found;
    throw new HttpError(400, `${JSON.stringify(item)} is nothing that ${name} can hold.`);
  });
  return [...new Set(items)];
}

function positionFrom(name: string, given: unknown): bigint | undefined {
  if (given === undefined) return undefined;
  const position =
    typeof given === 'string' && /^\d{1,19}$/.test(given) ? BigInt(given) : lastPosition + 1n;
  if (position <= lastPosition) return position;
  throw new HttpError(400, `${name} must be a position: a decimal number, as text.`);
}

function limitFrom(given: string | undefined, most: number): number {
  if (given === undefined) return Math.min(100, most);
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new HttpError(400, 'The parameter limit must be a number above 0.');
  return Math.min(Number(given), most);
}

function knowing(parameters: Parameters, known: readonly string[]): void {
  const unknown = parameters.find(([name]) => !known.includes(name))?.[0];
  if (unknown !== undefined)
    throw new HttpError(
      400,
      `There is no parameter '${unknown}' here. There are: ${known.join(', ')}.`,
    );
}
