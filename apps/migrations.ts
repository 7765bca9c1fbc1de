import type { Config } from '../infra/config/config.ts';
import type { Logger } from '../infra/telemetry/logger.ts';

export async function migrateAll(_config: Config, _log: Logger): Promise<void> {}
