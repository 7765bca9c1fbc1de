import type { OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { Expected } from '../../domain/image/events.ts';
import type { Download } from '../../domain/image/state.ts';
import { type AddressGuard, addressGuard, hostOf } from '../../infra/net/address-guard.ts';
import { baseProperties } from '../gateway/wire/base-properties.ts';
import { Failed } from './claim.ts';
import type { Description } from './fetch.ts';

export type RemoteImage = Download & { readonly name: 'glance-download' };

/** Beyond the images' own API, where the catalog has it with its version or without. */
export const documentUrl = ({ endpoint, imageId }: RemoteImage): string =>
  `${endpoint.replace(/\/+$/, '').replace(/\/v2(\.\d+)?$/, '')}/v2/images/${imageId}`;

export const dataUrl = (image: RemoteImage): string => `${documentUrl(image)}/file`;

/** Lets through to the endpoint itself, wherever it is, and to nowhere else: the catalog is believed. */
export function endpointGuard({ endpoint }: RemoteImage): AddressGuard {
  const url = new URL(endpoint);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return addressGuard({
    allowedHosts: [hostOf(url)],
    disallowedHosts: [],
    allowedPorts: [port],
    disallowedPorts: [],
    allowedCidrs: [],
    disallowedCidrs: [],
  });
}

/** In whose name it is asked for: the caller's, and ours, which vouches for a token that expires on the way. */
export const credentials = (token: string, serviceToken: string): OutgoingHttpHeaders => ({
  'X-Auth-Token': token,
  'X-Service-Token': serviceToken,
});

export interface RemoteRules {
  /** What the names of properties begin with that are copied. */
  readonly prefixes: readonly string[];
  readonly diskFormats: readonly string[];
  readonly containerFormats: readonly string[];
}

/** What is read of an image elsewhere; its other fields are custom properties, where they are text. */
const imageDocument = z.looseObject({
  status: z.string(),
  size: z.int().nonnegative().nullish(),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  checksum: z.string().nullish(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
});

/** What a remote image's document says of it; throws `Failed` where nothing can be made of it. */
export function describedBy(
  text: string,
  { region }: RemoteImage,
  rules: RemoteRules,
): Description {
  const { success, data } = imageDocument.safeParse(json(text));
  if (!success) throw unusable(`what the image service of ${region} says of the image is no image`);
  if (data.status !== 'active')
    throw unusable(`the image is ${data.status} in ${region}: it must be active`);
  const { disk_format: diskFormat = null, container_format: containerFormat = null } = data;
  for (const [name, format, known] of [
    ['disk_format', diskFormat, rules.diskFormats],
    ['container_format', containerFormat, rules.containerFormats],
  ] as const)
    if (format === null || !known.includes(format))
      throw unusable(
        `the image's ${name} in ${region} is ${format}, which this site does not have`,
      );
  const properties = Object.entries(data).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' &&
      !Object.hasOwn(baseProperties, entry[0]) &&
      rules.prefixes.some((prefix) => entry[0].startsWith(prefix)),
  );
  return {
    diskFormat,
    containerFormat,
    properties: Object.fromEntries(properties),
    expected: expectedBy(data),
  };
}

const hexDigits: Readonly<Record<string, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

function expectedBy(image: z.output<typeof imageDocument>): Expected {
  const told = [
    ['md5', image.checksum],
    [image.os_hash_algo ?? '', image.os_hash_value],
  ] as const;
  const digests = told.flatMap(([name, value]) => {
    const hex = value?.toLowerCase() ?? '';
    return /^[0-9a-f]+$/.test(hex) && hex.length === hexDigits[name] ? [[name, hex]] : [];
  });
  return { digests: Object.fromEntries(digests), size: image.size ?? null, sums: null };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const unusable = (why: string): Failed => new Failed('source-refused', why);
