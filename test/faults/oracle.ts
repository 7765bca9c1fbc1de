import type { Content } from './content.ts';
import { type Facet, facet } from './facet.ts';

/** `active ID`: with the content of that id. An image that never was is as unseen as a deleted one. */
export type Life = 'unseen' | 'queued' | `active ${string}` | `deactivated ${string}`;

/** What clients were told of one image. */
export interface KnownImage {
  readonly id: string;
  readonly life: Facet<Life>;
  /** The name, and the property `rev` that every patch sets with it: one without the other is half a patch. */
  readonly name: Facet<string>;
  readonly tags: Map<string, Facet<boolean>>;
}

/** One image as the API shows it. */
export interface Shown {
  readonly id: string;
  readonly status: string;
  readonly name: string | null;
  readonly rev?: string;
  /** Why its last upload did not become an image. */
  readonly os_glance_failed_upload?: string;
  readonly tags: readonly string[];
  readonly size: number | null;
  readonly checksum: string | null;
  readonly os_hash_value: string | null;
}

/** Whether nothing about it is uncertain. */
export const isCertain = ({ life, name, tags }: KnownImage): boolean =>
  life.certain && name.certain && [...tags.values()].every(({ certain }) => certain);

/** Remembers every answer, and tells where what is shown contradicts it. */
export function oracle() {
  const images = new Map<string, KnownImage>();
  const contents = new Map<string, Content>();

  const learn = (id: string, name: string): KnownImage => {
    const image: KnownImage = {
      id,
      life: facet<Life>('unseen'),
      name: facet(name),
      tags: new Map(),
    };
    images.set(id, image);
    return image;
  };

  const lifeOf = (shown: Shown): Life | undefined => {
    if (shown.status === 'queued') return shown.size === null ? 'queued' : undefined;
    if (shown.status !== 'active' && shown.status !== 'deactivated') return undefined;
    const content = contents.get(shown.os_hash_value?.slice(0, 16) ?? '');
    if (
      content?.md5 === shown.checksum &&
      content?.sha512 === shown.os_hash_value &&
      content.size === shown.size
    )
      return `${shown.status} ${content.id}`;
    return undefined;
  };

  /** Problems, none when all is as it was answered. Uncertainty ends here: what is shown is what is. */
  const judge = (image: KnownImage, shown: Shown | undefined): string[] => {
    const problems: string[] = [];
    const expect = (what: string, possible: readonly unknown[], seen: unknown, ok: boolean) => {
      if (!ok)
        problems.push(
          `image ${image.id}: ${what} is ${JSON.stringify(seen)}, not ${possible.map((one) => JSON.stringify(one)).join(' or ')}`,
        );
    };
    const before = image.life.possible;
    if (shown === undefined) {
      expect('its life', before, 'unseen', image.life.wasSeen('unseen'));
      return problems;
    }
    const life = lifeOf(shown);
    expect(
      'its life',
      before,
      life ?? { status: shown.status, size: shown.size, md5: shown.checksum },
      life !== undefined && image.life.wasSeen(life),
    );
    expect('its name', image.name.possible, shown.name, image.name.wasSeen(shown.name ?? ''));
    expect('its property rev', [shown.name], shown.rev, shown.rev === shown.name);
    for (const tag of new Set([...image.tags.keys(), ...shown.tags])) {
      const known = image.tags.get(tag) ?? facet(false);
      image.tags.set(tag, known);
      const there = shown.tags.includes(tag);
      expect(`tag ${tag}`, known.possible, there, known.wasSeen(there));
    }
    return problems;
  };

  return {
    images: images as ReadonlyMap<string, KnownImage>,
    learn,
    judge,
    keep(content: Content): void {
      contents.set(content.id, content);
    },
    /** The content of an image that is certainly there with it. */
    contentOf(image: KnownImage): Content | undefined {
      const [life] = image.life.possible;
      if (!image.life.certain || life === undefined) return undefined;
      const [status, id = ''] = life.split(' ');
      return status === 'active' || status === 'deactivated' ? contents.get(id) : undefined;
    },
  };
}

export type Oracle = ReturnType<typeof oracle>;
