import type { Manifest, ManifestImage } from '../../bulk/manifest/schema.ts';

/** Which images of a stream are meant. */
export interface StreamFilter {
  readonly arch: string | undefined;
  readonly release: string | undefined;
  /** Of each product, how many of its newest versions. */
  readonly versions: number;
}

interface StreamIndex {
  readonly index: Readonly<Record<string, { readonly path: string; readonly datatype?: string }>>;
}

interface Products {
  readonly products: Readonly<Record<string, Product>>;
}

interface Product {
  readonly arch?: string;
  readonly os?: string;
  readonly release?: string;
  readonly version?: string;
  readonly versions: Readonly<
    Record<
      string,
      { readonly items: Readonly<Record<string, StreamItem>>; readonly pubname?: string }
    >
  >;
}

interface StreamItem {
  readonly ftype: string;
  readonly path: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly sha512?: string;
  readonly md5?: string;
}

/** Kinds of files that are disks, the best first, by the format in which they are. */
const disks: readonly (readonly [ftype: string, format: string])[] = [
  ['disk-kvm.img', 'qcow2'],
  ['disk1.img', 'qcow2'],
  ['disk.img', 'qcow2'],
  ['uefi1.img', 'qcow2'],
  ['qcow2', 'qcow2'],
];

/** The newest disks of a simplestreams index, `…/streams/v1/index.json`; paths in it begin above `streams`. */
export async function manifestOfStreams(
  indexUrl: string,
  filter: StreamFilter,
  getJson: (url: string) => Promise<unknown>,
): Promise<Manifest> {
  const base = indexUrl.replace(/streams\/v1\/[^/]*$/, '');
  const { index } = (await getJson(indexUrl)) as Partial<StreamIndex>;
  if (index === undefined) throw new Error(`${indexUrl} is no simplestreams index`);
  const images: ManifestImage[] = [];
  for (const { path, datatype = '' } of Object.values(index)) {
    if (datatype !== '' && datatype !== 'image-downloads') continue;
    const { products } = (await getJson(addressOf(path, base))) as Products;
    for (const product of Object.values(products)) images.push(...imagesOf(product, filter, base));
  }
  if (images.length === 0) throw new Error(`there are no such images in ${indexUrl}`);
  return { name: indexUrl.slice(0, 255), images };
}

function imagesOf(product: Product, filter: StreamFilter, base: string): readonly ManifestImage[] {
  const { arch, os, release, version } = product;
  if (filter.arch !== undefined && arch !== filter.arch) return [];
  if (filter.release !== undefined && release !== filter.release && version !== filter.release)
    return [];
  const newest = Object.entries(product.versions)
    .sort(([one], [other]) => (one < other ? 1 : -1))
    .slice(0, filter.versions);
  return newest.flatMap(([serial, { items, pubname }]) => {
    const [found] = disks.flatMap(([ftype, format]) =>
      Object.values(items)
        .filter((item) => item.ftype === ftype)
        .map((item) => ({ item, format })),
    );
    if (found === undefined) return [];
    const { item, format } = found;
    const digest = (['sha512', 'sha256', 'md5'] as const).find((name) => item[name] !== undefined);
    const said = {
      os_distro: os,
      os_version: version,
      architecture: archNames[arch ?? ''] ?? arch,
    };
    const properties = Object.entries({ ...said, simplestreams_version: serial });
    return [
      {
        name: pubname ?? [os, version, arch, serial].filter(Boolean).join('-'),
        source: addressOf(item.path, base),
        disk_format: format,
        ...(item.size === undefined ? {} : { size: item.size }),
        ...(digest === undefined ? {} : { checksum: `${digest}:${item[digest]}` }),
        properties: Object.fromEntries(properties.filter(([, value]) => value !== undefined)),
      },
    ];
  });
}

/** An index is somebody else's word: of no file of this machine. */
function addressOf(path: string, base: string): string {
  const { protocol, href } = new URL(path, base);
  if (protocol === 'http:' || protocol === 'https:') return href;
  throw new Error(`${href} is not to be had from a server of images`);
}

/** As hypervisors call them. */
const archNames: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  ppc64el: 'ppc64le',
  i386: 'i686',
};
