import { mkdir, rmdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { takeOwnership } from '../../infra/postgres/embedded/owner.ts';

/** Owns the file given, over and over, and dies as an owner in the end. Fails when another owns it besides. Run by owner.test.ts. */
const [file = '', rounds = '1'] = process.argv.slice(2);
for (let round = Number(rounds); ; round--) {
  const disown = await takeOwnership(file);
  await mkdir(`${file}-held`);
  await delay(Math.random() * 2);
  await rmdir(`${file}-held`);
  if (round <= 1) process.kill(process.pid, 'SIGKILL');
  await disown();
}
