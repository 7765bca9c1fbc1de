import { readFile } from 'node:fs/promises';
import type { TlsFiles } from '../config/export-targets.ts';

export interface TlsMaterial {
  readonly ca?: readonly [Buffer];
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Read each time that a target is opened, so that certificates can be renewed under us. */
export async function tlsMaterial(files: TlsFiles): Promise<TlsMaterial> {
  const { 'ca-file': ca, 'cert-file': cert, 'key-file': key } = files;
  return {
    ...(ca === undefined ? {} : { ca: [await readFile(ca)] as const }),
    ...(cert === undefined ? {} : { cert: await readFile(cert) }),
    ...(key === undefined ? {} : { key: await readFile(key) }),
  };
}
