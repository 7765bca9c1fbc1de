import type { Api } from './api.ts';

/** A running Daguerre as a campaign looks at it, of however many processes it is. */
export interface System {
  readonly api: Api;
  readonly postgresUrl: string;
  readonly stagingDir: string;
  readonly storeDir: string;
  /** All that its processes have written to their output so far. */
  log(): string;
  stop(): Promise<void>;
}
