import type { Client } from '../../support/clients.ts';
import { measured, rawDisk } from '../../support/images.ts';
import type { Site } from '../site.ts';
import { watched } from '../subcommands.ts';

type User = 'admin' | 'demo' | 'viewer' | 'alt' | 'nova';

/** The glance of each user, and an image's bytes to upload. */
export interface GlanceSite {
  /** `viewer` reads in demo's project; the others are in the project of their name, nova in service. */
  as(user: User): Client;
  projectId(name: string): Promise<string>;
  readonly directory: string;
  readonly file: string;
  readonly size: number;
  readonly md5: string;
  readonly sha512: string;
}

/** Notes the subcommands that run. */
export async function glanceSite(site: Site, noted: Set<string>): Promise<GlanceSite> {
  const { directory, projectId } = site;
  const file = await rawDisk(directory, { contentBytes: 300_000, diskBytes: 400_000 });
  const { size, md5, sha512 } = await measured('disk', file, 'raw', 'raw');
  return {
    ...{ directory, projectId, file, size, md5, sha512 },
    as(user) {
      const project = user === 'viewer' ? 'demo' : user === 'nova' ? 'service' : user;
      return watched(site.as(user, project).glance, noted);
    },
  };
}
