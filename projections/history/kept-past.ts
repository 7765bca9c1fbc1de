import { LRUCache } from 'lru-cache';
import { weightOfPage } from '../images/page.ts';
import type { ImageRecord } from '../images/record.ts';
import type { PastImages } from './history.ts';

export interface KeptPast extends PastImages {
  /** Keeps nothing of what it has: the log itself may have gone back. */
  forget(): void;
}

interface Kept {
  readonly page: readonly ImageRecord[];
}

const besideKey = 256;

/**
 * The past does not change: what was once read of a position, at which history had arrived, can be given again. As much
 * of it is kept as `weight` says, in characters; 0 is nothing.
 */
export function keptPast(past: PastImages, { weight }: { readonly weight: number }): KeptPast {
  const pages =
    weight === 0
      ? undefined
      : new LRUCache<string, Kept>({
          maxSize: weight,
          // Each weighs twice: whoever answers with it keeps its text beside it.
          sizeCalculation: ({ page }, key) => key.length + besideKey + 2 * weightOfPage(page),
        });
  let generation = 0;

  const kept = async (
    key: string,
    read: () => Promise<readonly ImageRecord[]>,
  ): Promise<readonly ImageRecord[]> => {
    if (pages === undefined) return read();
    const known = pages.get(key);
    if (known !== undefined) return known.page;
    const begun = generation;
    const page = await read();
    if (begun === generation) pages.set(key, { page });
    return page;
  };

  return {
    ...past,
    async show(imageId, at) {
      const [record] = await kept(`${at} ${imageId}`, async () => {
        const one = await past.show(imageId, at);
        return one === undefined ? [] : [one];
      });
      return record;
    },
    list: (query, at) => kept(`${at} ${JSON.stringify(query)}`, () => past.list(query, at)),
    forget() {
      generation += 1;
      pages?.clear();
    },
  };
}
