import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Private key and certificate, both PEM. */
export interface Identification {
  readonly key: string;
  readonly cert: string;
}

/** Made anew, for a server at an address. Needs the Debian package openssl. */
export async function selfSigned(address: string): Promise<Identification> {
  const directory = await mkdtemp(join(tmpdir(), 'self-signed-'));
  const key = join(directory, 'key.pem');
  const cert = join(directory, 'cert.pem');
  const how = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch';
  try {
    await promisify(execFile)('openssl', [
      ...how.split(' '),
      ...[
        '-keyout',
        key,
        '-out',
        cert,
        '-subj',
        '/CN=test',
        '-addext',
        `subjectAltName=IP:${address}`,
      ],
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } catch (cause) {
    throw new Error('tests need the Debian package openssl', { cause });
  } finally {
    await rm(directory, { recursive: true });
  }
}
