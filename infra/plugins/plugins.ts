import type { Room } from '../files/room.ts';
import { compressionTools } from './compression.ts';
import { requireTools } from './confined.ts';
import { conversion, type OutputFormat } from './conversion.ts';
import { decompression } from './decompression.ts';
import { injection } from './injection.ts';
import type { Plugin } from './plugin.ts';

/** By their names in Glance. */
export const pluginNames = [
  'no_op',
  'image_decompression',
  'image_conversion',
  'inject_image_metadata',
] as const;

export type PluginName = (typeof pluginNames)[number];

export interface PluginOptions {
  /** In the order in which they run. */
  readonly names: readonly PluginName[];
  readonly outputFormat: OutputFormat;
  readonly injected: Readonly<Record<string, string>>;
  readonly ignoredRoles: readonly string[];
  /** Bytes that an image may have. */
  readonly sizeCap: number;
  readonly mostRatio: number;
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly timeoutMs: number;
}

const tools: Readonly<Record<PluginName, readonly string[]>> = {
  no_op: [],
  image_decompression: compressionTools,
  image_conversion: ['qemu-img'],
  inject_image_metadata: [],
};

/** Rejects where one needs a tool that is not here. `room` is that of the staging directory. */
export async function pluginsFrom(options: PluginOptions, room: Room): Promise<readonly Plugin[]> {
  const { names, outputFormat, injected, ignoredRoles, ...limits } = options;
  for (const name of names) if (tools[name].length > 0) await requireTools(name, tools[name]);
  const make: Readonly<Record<PluginName, () => readonly Plugin[]>> = {
    no_op: () => [],
    image_decompression: () => [decompression(limits, room)],
    image_conversion: () => [conversion(outputFormat, limits, room)],
    inject_image_metadata: () => [injection(injected, ignoredRoles)],
  };
  return names.flatMap((name) => make[name]());
}
