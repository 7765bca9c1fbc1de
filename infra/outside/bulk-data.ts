import { z } from 'zod';
import { outcomes, priorities } from '../../domain/bulk/events.ts';
import type { OutsideBulkType } from '../../domain/outside/exposure.ts';

const text = z.string();
const count = z.int().nonnegative();
const bytes = count.describe('Bytes of the images that were imported.');
const none = z.object({});
const priority = z.enum(priorities);

/** What the document of each fact about a bulk import carries; see `imageData`. */
export const bulkData = {
  BulkImportRequested: z.object({
    project: text.describe('Id of the project whose it is.'),
    name: text.nullable().describe('What its owner calls it.'),
    priority,
    items: count.describe('How many images it is about.'),
    digest: text.describe('SHA-256 of what was asked, hex: the same again is the same.'),
  }),
  BulkImportAbandoned: none,
  BulkImportPaused: none,
  BulkImportResumed: none,
  BulkImportReprioritized: z.object({ from: priority, to: priority }),
  BulkImportCancelled: none,
  BulkImportRetried: z.object({ items: count }),
  BulkItemSettled: z.object({
    item: count.describe('Its place in the manifest, from 0.'),
    name: text.nullable(),
    imageId: text.nullable(),
    outcome: z.enum(outcomes),
    reason: text.nullable().describe('A word for programs. More of them may come.'),
    message: text.nullable().describe('For people.'),
    bytes: count.nullable(),
    startedAt: text.nullable().describe('ISO 8601.'),
    attempt: z.int().positive(),
  }),
  BulkImportCompleted: z.object({
    done: count,
    skipped: count,
    updated: count,
    failed: count,
    cancelled: count,
    bytes,
  }),
} as const satisfies Readonly<Record<OutsideBulkType, z.ZodObject>>;

export const bulkWithheld: Readonly<Record<string, readonly string[]>> = {
  BulkImportRequested: [
    'authority',
    'authority.userId',
    'authority.projectId',
    'authority.roles',
    'authority.userDomainId',
    'authority.projectDomainId',
  ],
};
