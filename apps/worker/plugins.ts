import type { Config } from '../../infra/config/config.ts';
import { reservedRoom } from '../../infra/files/room.ts';
import type { Plugin } from '../../infra/plugins/plugin.ts';
import { pluginsFrom } from '../../infra/plugins/plugins.ts';

const mebibyte = 1024 * 1024;

/** What the operator wants done to imports. Rejects, naming packages, where tools for it are missing. */
export const configuredPlugins = (config: Config): Promise<readonly Plugin[]> =>
  pluginsFrom(
    {
      names: config['import-plugins'],
      outputFormat: config['conversion-output-format'],
      injected: config['inject-metadata-properties'] ?? {},
      ignoredRoles: config['inject-metadata-ignore-user-roles'].map((role) => role.toLowerCase()),
      sizeCap: config['image-size-cap'],
      mostRatio: config['plugin-expansion-ratio'],
      memoryBytes: config['plugin-memory'] * mebibyte,
      cpuSeconds: config['plugin-cpu-time'],
      timeoutMs: config['plugin-timeout'] * 1_000,
    },
    reservedRoom(config['staging-dir']),
  );
