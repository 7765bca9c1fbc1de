import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { unlessMissing } from '../files/files.ts';

/** Where a server of our own listens on loopback, and what it asks of who connects: loopback is everybody's on this machine. */
export interface OwnAddress {
  readonly port: number;
  readonly secret: string;
}

/** Below where Linux takes ports for outgoing connections, so that none of those sits on ours when a server comes back. */
const lowestPort = 20_000;
const highestPort = 32_000;

/** The same as at the last start on this directory, as long as nobody else listens on its port. */
export async function ownAddress(directory: string): Promise<OwnAddress> {
  const file = join(directory, 'address.json');
  const text = await unlessMissing(readFile(file, 'utf8'));
  const known = text === undefined ? undefined : (JSON.parse(text) as OwnAddress);
  if (known !== undefined && (await isFree(known.port))) return known;
  const port = await freePort();
  const address = { port, secret: known?.secret ?? randomBytes(24).toString('base64url') };
  await writeFile(`${file}.new`, JSON.stringify(address), { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  return address;
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowestPort, highestPort);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, '127.0.0.1');
  const answer = await free;
  server.close();
  if (answer) await once(server, 'close');
  return answer;
}
