import type { z } from 'zod';
import { auditSettings } from './settings/audit.ts';
import { busSettings } from './settings/bus.ts';
import { callersSettings } from './settings/callers.ts';
import { downloadsSettings } from './settings/downloads.ts';
import { endpointSettings } from './settings/endpoint.ts';
import { imagesSettings } from './settings/images.ts';
import { importsSettings } from './settings/imports.ts';
import { locationsSettings } from './settings/locations.ts';
import { pluginsSettings } from './settings/plugins.ts';
import { processSettings } from './settings/process.ts';
import { quotasSettings } from './settings/quotas.ts';
import { storageSettings } from './settings/storage.ts';
import { webhooksSettings } from './settings/webhooks.ts';
import { workingSettings } from './settings/working.ts';

/** One setting: how it is checked, and how the operator reads of it. */
export interface Setting {
  readonly schema: z.ZodType;
  /** One line for `--help`. */
  readonly help: string;
  /** Shown for the value in `--help`; absent for a switch. */
  readonly placeholder?: string;
  /** No flag can hold it. */
  readonly inFileOnly?: true;
}

/**
 * Every setting, by the one name that a flag (`--data-dir`), the environment (`DAGUERRE_DATA_DIR`) and the file
 * (`data-dir:`) share. `data-dir` has its default from the environment, so it is given in `config.ts`.
 */
export const settings = {
  ...processSettings,
  ...busSettings,
  ...callersSettings,
  ...endpointSettings,
  ...storageSettings,
  ...imagesSettings,
  ...quotasSettings,
  ...locationsSettings,
  ...importsSettings,
  ...downloadsSettings,
  ...pluginsSettings,
  ...webhooksSettings,
  ...auditSettings,
  ...workingSettings,
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
