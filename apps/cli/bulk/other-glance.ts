import type { Manifest, ManifestImage } from '../../bulk/manifest/schema.ts';
import type { Api } from './api.ts';
import type { Cloud } from './cloud.ts';

type Field = string | number | boolean | null | readonly unknown[] | object;
type GlanceImage = Readonly<Record<string, Field>> & { readonly id: string };

interface Page {
  readonly images: readonly GlanceImage[];
  readonly next?: string;
}

/** What the server alone says of an image, or what is said elsewhere in a manifest. */
const notProperties = new Set([
  ...['id', 'name', 'status', 'visibility', 'protected', 'os_hidden', 'owner', 'tags'],
  ...['disk_format', 'container_format', 'min_disk', 'min_ram', 'size', 'virtual_size'],
  ...['checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at'],
  ...['self', 'file', 'schema', 'locations', 'direct_url', 'stores'],
]);

const labelPrefix = 'glance:';

export interface OtherGlance {
  readonly cloud: Cloud;
  readonly api: Api;
  /** Owners stay who they are: for administrators of both. */
  readonly keepOwners: boolean;
  /** `name=value`, as the Image API filters. */
  readonly filter: readonly string[];
  /** Tells what is left out. */
  say(line: string): void;
}

/**
 * The active images of another image service, with their ids, tags, properties and members. What needs no token is fetched
 * by workers; where one is needed, we pass the bytes on ourselves, since tokens are nothing to be written down.
 */
export async function manifestOfGlance({
  cloud,
  api,
  keepOwners,
  filter,
  say,
}: OtherGlance): Promise<Manifest> {
  const isOpen = (await cloud.token()) === null;
  const images: ManifestImage[] = [];
  const leftOut: string[] = [];
  for await (const image of listed(api, filter)) {
    if (image.status !== 'active') {
      leftOut.push(`${image.name ?? image.id} is ${image.status}`);
      continue;
    }
    const members = image.visibility === 'shared' ? await membersOf(api, image.id) : [];
    const url = `${cloud.url}/v2/images/${image.id}/file`;
    const source = isOpen ? url : `upload:${labelPrefix}${image.id}`;
    images.push(manifestImageOf(image, source, members, keepOwners));
  }
  if (leftOut.length > 0) say(leftOutText(leftOut));
  if (images.length === 0) throw new Error(`there are no active images at ${cloud.url}`);
  return { name: `from ${cloud.url}`.slice(0, 255), images };
}

const mostNamed = 10;

function leftOutText(images: readonly string[]): string {
  const named = images.slice(0, mostNamed).join(', ');
  const more = images.length > mostNamed ? ` and ${images.length - mostNamed} more` : '';
  return `left out, since only active images can be had: ${named}${more}`;
}

/**
 * All that may be seen there. A listing keeps hidden images and others' community images to those who ask for them,
 * so each is asked for, but for what the filter decides itself.
 */
async function* listed(api: Api, filter: readonly string[]): AsyncGenerator<GlanceImage> {
  const isSaid = (name: string): boolean => filter.some((one) => one.startsWith(`${name}=`));
  const visibility = isSaid('visibility') ? [] : ['visibility=all'];
  const hidden = isSaid('os_hidden') ? [[]] : [['os_hidden=false'], ['os_hidden=true']];
  for (const one of hidden) {
    const query = ['limit=500', ...visibility, ...one, ...filter.map(encodedFilter)].join('&');
    for (let next: string | undefined = `/v2/images?${query}`; next !== undefined; ) {
      const page: Page = await api.json<Page>(next);
      yield* page.images;
      next = page.next;
    }
  }
}

/** A value may have any character, the name before it as well. */
const encodedFilter = (filter: string): string => {
  const [name = '', ...value] = filter.split('=');
  return `${encodeURIComponent(name)}=${encodeURIComponent(value.join('='))}`;
};

/** The id of an image that is to be passed on. */
export const passedOn = (label: string): string | undefined =>
  label.startsWith(labelPrefix) ? label.slice(labelPrefix.length) : undefined;

async function membersOf(api: Api, imageId: string): Promise<readonly string[]> {
  const { members } = await api.json<{
    readonly members: readonly { readonly member_id: string }[];
  }>(`/v2/images/${imageId}/members`);
  return members.map(({ member_id }) => member_id);
}

function manifestImageOf(
  image: GlanceImage,
  source: string,
  members: readonly string[],
  keepOwners: boolean,
): ManifestImage {
  const kept = ['name', 'visibility', 'protected', 'os_hidden', 'disk_format', 'container_format'];
  const fields = [...kept, 'min_disk', 'min_ram', 'size', ...(keepOwners ? ['owner'] : [])];
  const properties = Object.entries(image).filter(
    ([name, value]) =>
      !notProperties.has(name) && !name.startsWith('os_glance') && typeof value === 'string',
  );
  const hash =
    image.os_hash_algo === 'sha512' ? `sha512:${String(image.os_hash_value)}` : undefined;
  const checksum =
    hash ?? (typeof image.checksum === 'string' ? `md5:${image.checksum}` : undefined);
  return {
    id: image.id,
    source,
    ...Object.fromEntries(
      fields.flatMap((name) => (image[name] == null ? [] : [[name, image[name]]])),
    ),
    ...(checksum === undefined ? {} : { checksum }),
    tags: (image.tags ?? []) as string[],
    properties: Object.fromEntries(properties),
    ...(members.length === 0 ? {} : { members: [...members] }),
  } as ManifestImage;
}
