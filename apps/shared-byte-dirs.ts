import type { Pool } from 'pg';
import { type Config, ConfigError } from '../infra/config/config.ts';
import {
  joinDirectories,
  NotShared,
  type SharedDirectory,
} from '../infra/shared-directories/join.ts';
import { markName } from '../infra/store/directory-mark.ts';
import type { Part } from './part.ts';
import { makeByteDirs } from './places.ts';

interface ByteDir extends SharedDirectory {
  /** How the operator names it. */
  readonly setting: string;
}

/** What a gateway writes there, a worker on another host has to find. */
export function byteDirs(config: Config): readonly ByteDir[] {
  const staging = { name: 'staging', setting: '--staging-dir', directory: config['staging-dir'] };
  const stores = config.stores.flatMap((store): ByteDir[] => {
    if (store.type !== 'file') return [];
    const { id, dir: directory } = store;
    const isUsual = directory === config['store-dir'];
    const setting = isUsual ? '--store-dir' : `stores: dir of ${id}:`;
    return [{ name: `store ${id}`, setting, directory, mark: markName }];
  });
  return [staging, ...stores];
}

/**
 * Makes them, and sure that every gateway and worker that lives has the same directories for bytes. Rejects with `ConfigError` where
 * one has others. Its own heartbeat must have begun. Gives what ends it.
 */
export async function shareByteDirs(
  { config, owner, log }: Pick<Part, 'config' | 'owner' | 'log'>,
  pool: Pool,
): Promise<() => Promise<void>> {
  await makeByteDirs(config);
  const directories = byteDirs(config);
  try {
    return await joinDirectories(pool, { owner, directories, leaseMs: config['lease-ms'], log });
  } catch (error) {
    if (!(error instanceof NotShared)) throw error;
    const { name, directory } = error.shared;
    const setting = directories.find((one) => one.name === name)?.setting ?? name;
    throw new ConfigError([`${setting} ${directory}: ${error.message}`]);
  }
}
