import type { BulkEventType } from '../bulk/events.ts';
import type { ImageEventType } from '../image/events.ts';
import type { NamespaceEvent } from '../metadef/events.ts';

/**
 * Who outside is told of a fact. Administrators are told of all but what stays inside. A namespace of metadata definitions
 * is to its viewers what an image is.
 *
 * | exposure  | told                                                   | because                                          |
 * | --------- | ------------------------------------------------------ | ------------------------------------------------ |
 * | `viewers` | whoever could see the image just before or just after  | the Image API shows them its effect              |
 * | `party`   | the owner, and the project that it is shared with      | members do not know of each other                |
 * | `owner`   | the owner                                              | how an image gets its bytes is its owner's matter |
 * | `inside`  | nobody                                                 | claims and leases are the pipeline's own; refusals would tell of attempts, and of what is there, to who must not know |
 */
export type Exposure = 'viewers' | 'party' | 'owner' | 'inside';

/** Of every fact about an image: a new type must not compile until it is decided who is told. */
const imageExposure = {
  ImageCreated: 'viewers',
  ImageUpdated: 'viewers',
  VisibilityChanged: 'viewers',
  ProtectionChanged: 'viewers',
  TagAdded: 'viewers',
  TagRemoved: 'viewers',
  MemberAdded: 'party',
  MemberStatusChanged: 'party',
  MemberRemoved: 'party',
  UploadStarted: 'owner',
  UploadStaged: 'owner',
  UploadAborted: 'owner',
  ImportRequested: 'owner',
  ImportCompleted: 'owner',
  ImportAdvanced: 'inside',
  ImportFetched: 'owner',
  ImportStoreFailed: 'owner',
  IngestClaimed: 'inside',
  IngestReleased: 'inside',
  ImageDataStored: 'viewers',
  ImageDigested: 'viewers',
  DiskFormatInspected: 'viewers',
  ImageActivated: 'viewers',
  IngestFailed: 'owner',
  LocationAdded: 'viewers',
  LocationMetadataChanged: 'inside',
  LocationRemoved: 'owner',
  ImageDeactivated: 'viewers',
  ImageReactivated: 'viewers',
  ImageDeletionScheduled: 'viewers',
  ImageRestored: 'viewers',
  LegalHoldPlaced: 'owner',
  LegalHoldLifted: 'owner',
  ImageDeleted: 'viewers',
  ReservationAbandoned: 'inside',
  ImageDataRemoved: 'owner',
} as const satisfies Readonly<Record<ImageEventType, Exposure>> &
  Readonly<Record<string, Exposure>>;

/** The same of namespaces. Claims on names stay inside: of a namespace that comes to nothing nobody shall know. */
const metadefExposure = {
  MetadefNamespaceCreated: 'viewers',
  MetadefNamespaceUpdated: 'viewers',
  MetadefNamespaceRenamed: 'viewers',
  MetadefNamespaceDeleted: 'viewers',
  MetadefNameClaimAbandoned: 'inside',
  ResourceTypeAssociated: 'viewers',
  ResourceTypeAssociationChanged: 'viewers',
  ResourceTypeDissociated: 'viewers',
  ResourceTypesDissociated: 'viewers',
  MetadefPropertyAdded: 'viewers',
  MetadefPropertyChanged: 'viewers',
  MetadefPropertyRemoved: 'viewers',
  MetadefPropertiesRemoved: 'viewers',
  MetadefObjectAdded: 'viewers',
  MetadefObjectChanged: 'viewers',
  MetadefObjectRemoved: 'viewers',
  MetadefObjectsRemoved: 'viewers',
  MetadefTagAdded: 'viewers',
  MetadefTagChanged: 'viewers',
  MetadefTagRemoved: 'viewers',
  MetadefTagsRemoved: 'viewers',
  MetadefTagsReplaced: 'viewers',
} as const satisfies Readonly<Record<NamespaceEvent['type'], Exposure>> &
  Readonly<Record<string, Exposure>>;

/** The same of bulk imports. What a manifest says, URLs among it, is told image by image as far as it is told at all. */
const bulkExposure = {
  BulkImportRequested: 'owner',
  BulkItemsListed: 'inside',
  BulkImportAbandoned: 'owner',
  BulkImportPaused: 'owner',
  BulkImportResumed: 'owner',
  BulkImportReprioritized: 'owner',
  BulkImportCancelled: 'owner',
  BulkImportRetried: 'owner',
  BulkItemSettled: 'owner',
  BulkImportCompleted: 'owner',
} as const satisfies Readonly<Record<BulkEventType, Exposure>> & Readonly<Record<string, Exposure>>;

/** By what the streams' names begin with. No two kinds have a type of the same name. */
const exposures = {
  image: imageExposure,
  metadef: metadefExposure,
  import: bulkExposure,
} as const;

/** What outside is told about. */
export type OutsideKind = keyof typeof exposures;

type OutsideOf<Exposures> = {
  [Type in keyof Exposures]: Exposures[Type] extends 'inside' ? never : Type;
}[keyof Exposures];

export type OutsideImageType = OutsideOf<typeof imageExposure>;
export type OutsideMetadefType = OutsideOf<typeof metadefExposure>;
export type OutsideBulkType = OutsideOf<typeof bulkExposure>;
/** What there is a document of, and so a schema. */
export type OutsideType = OutsideImageType | OutsideMetadefType | OutsideBulkType;

export const outsideKinds = Object.keys(exposures) as readonly OutsideKind[];

const exposuresOf = (kind: OutsideKind): Readonly<Record<string, Exposure>> => exposures[kind];

/** What a stream is about; undefined where nobody outside is told of it. */
export function outsideKindOf(streamId: string): OutsideKind | undefined {
  const [prefix] = streamId.split('-', 1);
  return outsideKinds.find((kind) => kind === prefix);
}

/** Facts of other streams, and of types that this release does not know, stay inside. */
export function exposureOf({
  streamId,
  type,
}: {
  readonly streamId: string;
  readonly type: string;
}): Exposure {
  const kind = outsideKindOf(streamId);
  if (kind === undefined || !Object.hasOwn(exposures[kind], type)) return 'inside';
  return exposuresOf(kind)[type] ?? 'inside';
}

export const outsideFacts: readonly { readonly kind: OutsideKind; readonly type: OutsideType }[] =
  outsideKinds.flatMap((kind) =>
    Object.entries(exposures[kind])
      .filter(([, exposure]) => exposure !== 'inside')
      .map(([type]) => ({ kind, type: type as OutsideType })),
  );

export const outsideTypes: readonly OutsideType[] = outsideFacts.map(({ type }) => type);

/** Every type of a fact of a kind, those that stay inside among them. */
export const typesOf = (kind: OutsideKind): readonly string[] => Object.keys(exposures[kind]);
