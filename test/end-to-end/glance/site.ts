import type { Client } from '../../support/clients.ts';

/** The glance of each user, and an image's bytes to upload. */
export interface GlanceSite {
  /** `viewer` reads in demo's project; the others are in the project of their name, nova in service. */
  as(user: 'admin' | 'demo' | 'viewer' | 'alt' | 'nova'): Client;
  projectId(name: string): Promise<string>;
  readonly directory: string;
  readonly file: string;
  readonly size: number;
  readonly md5: string;
  readonly sha512: string;
}
