import { startConfined } from './confined.ts';
import { PluginRefused } from './plugin.ts';

/** Reference of the Image API: 1 GiB and 2 s are enough to look at an image. */
const limits = { memoryBytes: 1024 ** 3, cpuSeconds: 2 };
const mostBytes = 1024 * 1024;
const vmdkKinds: readonly unknown[] = ['monolithicSparse', 'streamOptimized'];

/** A second opinion beside our own inspection: gives the size of the disk within, in bytes, or refuses what leads elsewhere. */
export async function requireHarmless(
  path: string,
  driver: string,
  signal: AbortSignal,
): Promise<number> {
  const { child, ended } = startConfined(
    'qemu-img',
    ['info', '-f', driver, '--output=json', path],
    limits,
    { signal },
  );
  let text = '';
  child.stdout?.on('data', (piece: Buffer) => {
    text += piece.toString('utf8');
    if (text.length > mostBytes) child.kill('SIGKILL');
  });
  const { code, said } = await ended;
  signal.throwIfAborted();
  const info = code === 0 ? parsed(text) : undefined;
  if (info === undefined)
    throw new PluginRefused(
      'format-refused',
      `The image cannot be read as ${driver}: it is damaged, or declared to be what it is not`,
      new Error(said),
    );
  const special = record(record(info['format-specific']).data);
  const leadsOn = ['backing-filename', 'full-backing-filename', 'data-file'].some(
    (name) => info[name] !== undefined || special[name] !== undefined,
  );
  if (leadsOn)
    throw new PluginRefused(
      'format-refused',
      'The image refers to another file: make one that has all of its data in it',
    );
  if (driver === 'vmdk' && !vmdkKinds.includes(special['create-type']))
    throw new PluginRefused(
      'format-refused',
      'The image is a VMDK of a kind that is not taken: make a monolithicSparse or streamOptimized one',
    );
  return Number(info['virtual-size']);
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
