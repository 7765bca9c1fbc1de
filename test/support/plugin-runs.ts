import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Room } from '../../infra/files/room.ts';
import type { Material, Plugin } from '../../infra/plugins/plugin.ts';

export const run = promisify(execFile);

export const mebibyte = 1024 * 1024;
export const gibibyte = 1024 * mebibyte;

/** As much as anybody likes. */
export const endlessRoom: Room = { async take() {} };

/** A directory for a test file's material, and a way to run plugins on it. */
export async function pluginRuns() {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-plugins-'));
  const newFile = async (): Promise<string> => join(directory, randomUUID());
  return {
    directory,
    newFile,
    remove: () => rm(directory, { recursive: true }),
    /** Bytes as a file. */
    async material(bytes: Uint8Array, about: Partial<Material> = {}): Promise<Material> {
      const path = await newFile();
      await writeFile(path, bytes);
      const plain = { diskFormat: 'raw', containerFormat: 'bare', properties: {} };
      return { path, size: bytes.length, ...plain, ...about };
    },
    /** Of a file that a tool made. */
    async materialAt(path: string, diskFormat: string): Promise<Material> {
      const { size } = await stat(path);
      return { path, size, diskFormat, containerFormat: 'bare', properties: {} };
    },
    run: (plugin: Plugin, material: Material, roles: readonly string[] = [], signal = never) =>
      plugin.run(material, { newFile, roles, signal }),
    /** Bytes of disk that everything takes. */
    async diskUsed(): Promise<number> {
      const names = await readdir(directory);
      const stats = await Promise.all(names.map((name) => stat(join(directory, name))));
      return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0);
    },
  };
}

const never = new AbortController().signal;
