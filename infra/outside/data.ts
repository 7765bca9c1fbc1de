import { z } from 'zod';
import { memberStatuses, visibilities } from '../../domain/image/attributes.ts';
import type { OutsideImageType, OutsideType } from '../../domain/outside/exposure.ts';
import { bulkData, bulkWithheld } from './bulk-data.ts';
import { metadefData, metadefWithheld } from './metadef-data.ts';

const text = z.string();
const bytes = z.int().nonnegative();
const uploadId = text.describe('One attempt to fill the image, the same in all of its events.');
const visibility = z.enum(visibilities);
const memberStatus = z.enum(memberStatuses);
const member = text.describe('Id of the project that the image is shared with.');
const store = text.describe('Id of a store of this site.');
/** Kept as it is, since a record would lose an entry that is called `__proto__`. */
const texts = z
  .any()
  .refine(isTexts)
  .meta({ type: 'object', additionalProperties: { type: 'string' } });
const digests = texts.describe('Hex digests by algorithm.');
const reason = text.describe('A word for programs. More of them may come.');
const message = text.describe('For people.');
const none = z.object({});

const attributes = z.object({
  name: text.nullable(),
  owner: text.nullable().describe('Id of the owning project.'),
  visibility,
  protected: z.boolean(),
  hidden: z.boolean(),
  diskFormat: text.nullable(),
  containerFormat: text.nullable(),
  minDisk: z.int().describe('GiB.'),
  minRam: z.int().describe('MiB.'),
  tags: z.array(text),
  properties: texts,
});

const value = z.union([text, z.number(), z.boolean(), z.null()]);
const changes = z
  .array(z.object({ field: text, from: value, to: value }))
  .describe('Fields by the names that ImageCreated has for them, each with its old and new value.');
const properties = z
  .array(z.object({ property: text, from: text.nullable(), to: text.nullable() }))
  .describe('Custom properties that changed; null is absent.');

/**
 * What the document of each fact about an image carries. These schemas are the only way out: what they do not name is left behind, so
 * keys, URLs, claims and names of processes stay inside. Published schemas, and the check of every event that tests
 * emit, are made from them.
 */
export const imageData = {
  ImageCreated: attributes,
  ImageUpdated: z.object({ changes, properties }),
  VisibilityChanged: z.object({ from: visibility, to: visibility }),
  ProtectionChanged: z.object({ from: z.boolean(), to: z.boolean() }),
  TagAdded: z.object({ tag: text }),
  TagRemoved: z.object({ tag: text }),
  MemberAdded: z.object({ member }),
  MemberStatusChanged: z.object({ member, from: memberStatus, to: memberStatus }),
  MemberRemoved: z.object({ member }),
  UploadStarted: z.object({
    uploadId,
    declaredSize: bytes.nullable().describe('Bytes that the client announced; null: it did not.'),
    store,
    purpose: z.enum(['upload', 'stage']).optional(),
  }),
  UploadStaged: z.object({ uploadId, size: bytes }),
  UploadAborted: z.object({ uploadId, reason, message }),
  ImportRequested: z.object({
    uploadId,
    method: z.object({ name: text }),
    stores: z.array(store),
    allStoresMustSucceed: z.boolean(),
  }),
  ImportCompleted: z.object({ uploadId }),
  ImportFetched: z.object({ uploadId, size: bytes }),
  ImportStoreFailed: z.object({ uploadId, store, reason, message }),
  ImageDataStored: z.object({ uploadId, store, size: bytes }),
  ImageDigested: z.object({
    uploadId,
    digests,
    algorithm: text.nullable().describe('The one shown as `os_hash_algo`.'),
  }),
  DiskFormatInspected: z.object({
    uploadId,
    declared: text,
    detected: text.nullable(),
    virtualSize: bytes.nullable().describe('Null where the content does not tell.'),
  }),
  ImageActivated: z.object({ uploadId }),
  IngestFailed: z.object({ uploadId, reason, message }),
  LocationAdded: z.object({ store, size: bytes, digests, algorithm: text.nullable() }),
  LocationRemoved: z.object({ store }),
  ImageDeactivated: none,
  ImageReactivated: none,
  ImageDeletionScheduled: z.object({ dueAt: text.describe('ISO 8601.') }),
  ImageRestored: none,
  LegalHoldPlaced: z.object({ reason: text.describe('For people.'), from: text.nullable() }),
  LegalHoldLifted: z.object({ reason: text.describe('Of the hold that is over.') }),
  ImageDeleted: none,
  ImageDataRemoved: none,
} as const satisfies Readonly<Record<OutsideImageType, z.ZodObject>>;

export const outsideData: Readonly<Record<OutsideType, z.ZodObject>> = {
  ...imageData,
  ...metadefData,
  ...bulkData,
};

/** Fields of each fact that are known to stay inside. A field in neither table makes tests fail until it is decided. */
export const withheld: Readonly<Record<string, readonly string[]>> = {
  UploadStarted: ['owner'],
  ImportRequested: [
    'method.locationId',
    'method.store',
    'method.url',
    'method.metadata',
    'method.validation',
    'method.uri',
    'method.expected',
    'method.region',
    'method.imageId',
    'method.interface',
    'method.endpoint',
  ],
  ImportFetched: ['epoch', 'source'],
  ImportStoreFailed: ['epoch'],
  ImageDataStored: ['epoch', 'key'],
  ImageDeletionScheduled: ['uploadId'],
  ImageDeleted: ['uploadId'],
  IngestFailed: ['epoch'],
  LocationAdded: ['locationId', 'url', 'metadata', 'at'],
  LocationRemoved: ['locationId'],
  ...metadefWithheld,
  ...bulkWithheld,
};

function isTexts(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => typeof one === 'string')
  );
}
