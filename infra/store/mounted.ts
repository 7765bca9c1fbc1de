import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObjectMissing, type Store, StoreUnavailable } from '../../domain/store.ts';
import { makeDirectory, unlessMissing } from '../files/files.ts';
import { markedFor, markIn, markName } from './directory-mark.ts';

/** A store of files, by the id and the directory that operators give it. */
export interface StorePlace {
  readonly id: string;
  readonly directory: string;
}

/**
 * What this machine remembers of where it has seen the mark of which store: `known-stores/{id}` in the data directory names
 * the directory. A place that had a mark and has none now is not new: its disk is not mounted.
 */
export function knownStores(dataDir: string) {
  const directory = join(dataDir, 'known-stores');
  const pathOf = ({ id }: StorePlace): string => join(directory, id);
  const has = async (place: StorePlace): Promise<boolean> =>
    (await unlessMissing(readFile(pathOf(place), 'utf8'))) === `${place.directory}\n`;
  return {
    has,
    async add(place: StorePlace): Promise<void> {
      if (await has(place)) return;
      await makeDirectory(directory);
      await writeFile(pathOf(place), `${place.directory}\n`, { flush: true });
    },
  };
}

export type KnownStores = ReturnType<typeof knownStores>;

/**
 * Whose bytes lie in the directory, which is marked for the store where it is new. Undefined where the mark is gone: then
 * nothing is marked, since what is there is not the store.
 */
export async function ownerOf(place: StorePlace, known: KnownStores): Promise<string | undefined> {
  const marked = await markIn(place.directory);
  if (marked === undefined && (await known.has(place))) return undefined;
  const owner = marked ?? (await markedFor(place.directory, place.id));
  // Where that cannot be kept, bytes can all the same.
  if (owner === place.id) await known.add(place).catch(() => {});
  return owner;
}

/**
 * The store while its directory has its mark. An empty directory in its place, where a disk was not mounted, is no empty
 * store: whatever would take it for one rejects with `StoreUnavailable`. Reading what is there costs nothing more.
 */
export function whileMounted(store: Store, place: StorePlace, known: KnownStores): Store {
  const { id, directory } = place;
  const requireOwn = (owner: string | undefined): void => {
    const why =
      owner === undefined
        ? `there is no ${markName}; is its disk mounted?`
        : `there is the store ${owner}`;
    if (owner !== id)
      throw new StoreUnavailable(`the store ${id} is not at ${directory}: ${why}`, undefined);
  };
  const unreadable = (error: unknown): never => {
    throw new StoreUnavailable(`the store ${id} at ${directory} cannot be read`, error);
  };
  const mark = (): Promise<string | undefined> => markIn(directory).catch(unreadable);
  /** A place without a mark that never had one is a new store, of which there is nothing to remove. */
  const requireOwnOrNew = async (): Promise<void> => {
    const marked = await mark();
    if (marked !== undefined || (await known.has(place))) requireOwn(marked);
  };

  return {
    async promote(...args) {
      await makeDirectory(directory).catch(() => {}); // what cannot be made cannot take anything either: `promote` says so
      requireOwn(await ownerOf(place, known).catch(unreadable));
      await store.promote(...args);
    },
    async open(key) {
      try {
        return await store.open(key);
      } catch (error) {
        if (error instanceof ObjectMissing) requireOwn(await mark());
        throw error;
      }
    },
    async remove(key) {
      await requireOwnOrNew();
      await store.remove(key);
    },
    async *list() {
      await requireOwnOrNew();
      yield* store.list();
    },
  };
}
