import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { StagingFull } from '../../domain/staging.ts';
import { unlessMissing } from '../files/files.ts';
import type { Room } from '../files/room.ts';
import { type Ended, startConfined } from './confined.ts';
import { inspectFile } from './inspect-file.ts';
import { type Material, type Plugin, PluginRefused, type Setting } from './plugin.ts';
import { requireHarmless } from './qemu-info.ts';

export type OutputFormat = 'raw' | 'qcow2' | 'vmdk';

export interface ConversionLimits {
  /** Bytes that the output may have, and the disk within. */
  readonly sizeCap: number;
  /** How many times as many bytes of data may come out as go in; holes do not count. */
  readonly mostRatio: number;
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly timeoutMs: number;
}

/** Ours to qemu's. Others have nothing that a disk could be made of, or are to stay what they are, as `iso`. */
const drivers: Readonly<Record<string, string>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
  vdi: 'vdi',
};

const smallBytes = 64 * 1024 * 1024;
const lookEveryMs = 100;

/**
 * Makes of a disk one of another format. Only what passed inspection as what it is declared is read, by the driver of that
 * format and no other, and what came out is inspected again.
 */
export function conversion(output: OutputFormat, limits: ConversionLimits, room: Room): Plugin {
  return {
    name: 'image_conversion',
    async run(material, setting) {
      const { diskFormat, containerFormat, path } = material;
      const driver = drivers[diskFormat];
      if (containerFormat !== 'bare' || driver === undefined || diskFormat === output)
        return material;
      const verdict = await inspectFile(path, { diskFormat, containerFormat });
      if (!verdict.accepted) throw new PluginRefused('format-refused', verdict.reason);
      if (verdict.format === 'iso') return material;
      // A partition table is what a raw disk has.
      const isDeclared =
        verdict.format === diskFormat || (diskFormat === 'raw' && verdict.format === 'gpt');
      if (!isDeclared)
        throw new PluginRefused(
          'format-refused',
          `The image is declared ${diskFormat}, but its content is ${verdict.format}: set disk_format to ${verdict.format}`,
        );
      requireSize(verdict.virtualSize ?? material.size, limits);
      requireSize(await requireHarmless(path, driver, setting.signal), limits);
      const made = await setting.newFile();
      await convert({ material, driver, output, made, limits, room }, setting);
      return judged({ ...material, path: made, diskFormat: output });
    },
  };
}

function requireSize(virtualBytes: number, { sizeCap }: ConversionLimits): void {
  if (virtualBytes > sizeCap)
    throw new PluginRefused(
      'too-large',
      `The disk in the image has ${virtualBytes} bytes, more than the ${sizeCap} that an image may have: make it smaller`,
    );
}

interface Conversion {
  readonly material: Material;
  readonly driver: string;
  readonly output: OutputFormat;
  readonly made: string;
  readonly limits: ConversionLimits;
  readonly room: Room;
}

async function convert(what: Conversion, { signal }: Setting): Promise<void> {
  const { material, driver, output, made, limits } = what;
  const stop = new AbortController();
  const { ended } = startConfined(
    'qemu-img',
    ['convert', '-f', driver, '-O', output, material.path, made],
    {
      memoryBytes: limits.memoryBytes,
      cpuSeconds: limits.cpuSeconds,
      // A format has tables beside the disk.
      fileBytes: limits.sizeCap + Math.ceil(limits.sizeCap / 64) + smallBytes,
    },
    { signal: AbortSignal.any([signal, stop.signal]) },
  );
  const over = new AbortController();
  const watching = watched(what, over.signal).catch((error) => {
    stop.abort();
    return error;
  });
  const end = await ended;
  over.abort();
  const broken = await watching;
  signal.throwIfAborted();
  if (broken !== undefined) throw broken;
  if (end.code !== 0) throw failed(end, limits);
}

/** Rejects when more comes out, or it takes longer, than may be. */
async function watched(
  { material, made, limits, room }: Conversion,
  over: AbortSignal,
): Promise<undefined> {
  const begun = performance.now();
  const most = Math.max(smallBytes, material.size * limits.mostRatio);
  let before = 0;
  while (!over.aborted) {
    const written = ((await unlessMissing(stat(made)))?.blocks ?? 0) * 512;
    await room.take(Math.max(0, written - before)).catch((error) => {
      throw new StagingFull(error);
    });
    before = written;
    if (written > most)
      throw new PluginRefused(
        'too-large',
        `More than ${limits.mostRatio} times as many bytes come out of the image as it has: import it in the format that is wanted`,
      );
    if (performance.now() - begun > limits.timeoutMs)
      throw new PluginRefused(
        'plugin-failed',
        `The conversion took longer than ${limits.timeoutMs / 1000} s: import the image in the format that is wanted`,
      );
    await delay(lookEveryMs, undefined, { signal: over }).catch(() => {});
  }
  return undefined;
}

function failed({ code, signal, said }: Ended, limits: ConversionLimits): unknown {
  if (/No space left/i.test(said)) return new StagingFull(new Error(said));
  if (signal === 'SIGXCPU' || signal === 'SIGKILL')
    return new PluginRefused(
      'plugin-failed',
      `The conversion took more than ${limits.cpuSeconds} s of a processor: import the image in the format that is wanted`,
    );
  if (signal === 'SIGXFSZ' || /File too large/i.test(said))
    return new PluginRefused('too-large', 'The converted image is larger than an image may be');
  const cause = new Error(`qemu-img ended with ${code ?? signal}: ${said}`);
  return new PluginRefused(
    'plugin-failed',
    'The image cannot be converted: it is damaged, or needs more memory than there may be',
    cause,
  );
}

/** What came out is believed no more than what went in. */
async function judged(material: Material): Promise<Material> {
  const { path, diskFormat } = material;
  const verdict = await inspectFile(path, { diskFormat, containerFormat: 'bare' });
  if (!verdict.accepted) throw new PluginRefused('format-refused', verdict.reason);
  return { ...material, containerFormat: 'bare', size: (await stat(path)).size };
}
