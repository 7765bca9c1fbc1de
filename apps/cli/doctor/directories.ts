import { randomUUID } from 'node:crypto';
import { open, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../../infra/config/config.ts';
import { errorCode, isMissing, sync, unlessMissing } from '../../../infra/files/files.ts';
import { markIn } from '../../../infra/store/directory-mark.ts';
import { byteDirs } from '../../shared-byte-dirs.ts';
import { examine, type Finding, type Findings } from './finding.ts';

/** The data directory, and those of bytes. */
export async function examineDirectories(config: Config): Promise<readonly Finding[]> {
  const data = await examine('data directory', async (found) => {
    await written(config['data-dir'], found);
  });
  const bytes = await Promise.all(
    byteDirs(config).map(({ name, directory }) =>
      examine(name, async (found) => {
        if (!(await written(directory, found))) return;
        if (name === 'staging') await besideStore(config, found);
        else await marked(directory, name.slice('store '.length), found);
      }),
    ),
  );
  return [...data, ...bytes.flat()];
}

const littleRoom = { share: 0.1, bytes: 5 * 1024 ** 3 };
const noRoom = { share: 0.05, bytes: 1024 ** 3 };

/** Whether a file can be made durable there. */
async function written(directory: string, found: Findings): Promise<boolean> {
  const file = join(directory, `.daguerre-doctor-${randomUUID()}`);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.write('written by daguerre doctor, and removed\n');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await sync(directory);
  } catch (error) {
    if (isMissing(error)) found.warn(`${directory} is not there; a start makes it`);
    else found.fail(`${directory} ${adviceFor[errorCode(error) ?? ''] ?? String(error)}`);
    return false;
  } finally {
    await unlessMissing(unlink(file)).catch(() => {});
  }
  await room(directory, found);
  return true;
}

const adviceFor: Readonly<Record<string, string>> = {
  EACCES: 'cannot be written by this user: give it to whom Daguerre runs as (chown)',
  EPERM: 'cannot be written by this user: give it to whom Daguerre runs as (chown)',
  EROFS: 'is on a file system that is mounted read-only: mount it for writing',
  ENOSPC: 'is on a full file system: make room',
  EDQUOT: 'is beyond the quota of this user: make room',
  ENOTDIR: 'is not a directory, or lies below a file: name another',
  EIO: 'cannot be written: the disk, or the network file system, fails',
  ESTALE: 'cannot be written: the network file system was lost; mount it again',
};

/** Writers leave 5 % of a file system free, or 1 GiB. */
async function room(directory: string, found: Findings): Promise<void> {
  const { bsize, blocks, bavail } = await statfs(directory);
  const [total, free] = [blocks * bsize, bavail * bsize];
  const gibibytes = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  const below = ({ share, bytes }: typeof noRoom): boolean => free < Math.min(total * share, bytes);
  if (total === 0) found.ok(`${directory} can be written and flushed; its room is not told`);
  else if (below(noRoom))
    found.fail(`${directory} has ${gibibytes}: nothing more is written there`);
  else if (below(littleRoom)) found.warn(`${directory} has ${gibibytes}: make room`);
  else found.ok(`${directory} can be written and flushed, ${gibibytes}`);
}

async function marked(directory: string, id: string, found: Findings): Promise<void> {
  const owner = await markIn(directory);
  if (owner === undefined)
    found.warn(`${directory} has no mark: it is new, or its disk is not mounted`);
  else if (owner !== id)
    found.fail(
      `${directory} holds what images have in the store ${owner}: a store keeps its id and its directory`,
    );
}

/** A link costs nothing, a copy reads and writes everything once more. */
async function besideStore(config: Config, found: Findings): Promise<void> {
  const store = config.stores.find(({ id }) => id === config['default-store']);
  if (store?.type !== 'file') return;
  const [staging, there] = await Promise.all([
    stat(config['staging-dir']),
    unlessMissing(stat(store.dir)),
  ]);
  if (there !== undefined && there.dev !== staging.dev)
    found.warn(
      `${config['staging-dir']} is on another file system than the store ${store.id}: each upload is copied once more`,
    );
}
