import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, unlessMissing } from '../files/files.ts';
import { isGone, ownMark, type ProcessMark } from '../files/process-mark.ts';

export const lockName = 'lock.json';

/** Does `step` while no other process works on this backup. What a killed one left behind does not count. */
export async function locked<Value>(directory: string, step: () => Promise<Value>): Promise<Value> {
  const path = join(directory, lockName);
  while (!(await taken(path))) {
    const text = await unlessMissing(readFile(path, 'utf8'));
    if (text === undefined) continue;
    const owner = markFrom(text);
    if (owner === undefined || !(await isGone(owner)))
      throw new Error(
        `${path}: another process works on this backup; if none does, remove this file`,
      );
    await rm(path, { force: true });
  }
  try {
    return await step();
  } finally {
    await rm(path, { force: true });
  }
}

async function taken(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(await ownMark())).finally(() => file.close());
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined where it does not say who: then somebody may be there. */
function markFrom(text: string): ProcessMark | undefined {
  try {
    return (JSON.parse(text) as ProcessMark | null) ?? undefined;
  } catch {
    return undefined;
  }
}
