import type { JsonObject } from '../json.ts';
import type { Attributes, Member } from './attributes.ts';
import type { Digests, ImportMethod } from './events.ts';

/** One place where the image's bytes can be read. */
export interface Location {
  /** Of bytes that we stored, their key. */
  readonly id: string;
  readonly store: string;
  /** What the store knows the bytes by: our key, or the URL of somebody else's. */
  readonly key: string;
  /** We wrote the bytes, and remove them with the location. */
  readonly ours: boolean;
  /** What a client said of it. */
  readonly metadata: JsonObject;
}

/** What is known of an image's bytes. */
export interface Content {
  /** Bytes. */
  readonly size: number;
  readonly virtualSize: number | null;
  /** Empty while nobody has read the bytes of a location. */
  readonly digests: Digests;
  /** The digest shown as `os_hash_algo`. */
  readonly algorithm: string | null;
  /** In the order in which they were added; one at least. */
  readonly locations: readonly Location[];
}

/** One attempt to fill the image, from `UploadStarted` or `ImportRequested` to its end. */
export interface Upload {
  readonly uploadId: string;
  /** The gateway process that receives the bytes; null where none does. */
  readonly owner: string | null;
  readonly declaredSize: number | null;
  /** The stores to write to. */
  readonly stores: readonly string[];
  /** Null until an import is requested: a plain upload has none. */
  readonly method: ImportMethod | null;
  readonly allStoresMustSucceed: boolean;
  /** Bytes in staging, null until the last one is durable there. */
  readonly stagedSize: number | null;
  /** The newest claim's number; 0 before the first. */
  readonly epoch: number;
  /** The worker process that holds the newest claim; null when there is none or it was released. */
  readonly claimedBy: string | null;
  /** Claims that were superseded without a release, since the last one that got on. */
  readonly deadClaims: number;
  /** The newest claim has left something durable from which the next one goes on. */
  readonly gotOn: boolean;
  /** Bytes of a download that were told to be in staging before it was whole. */
  readonly fetched: number;
  /** Gathered from the facts that come before `ImageActivated`; its locations are those that this attempt wrote, always. */
  readonly content: Content;
}

/** Reservations that were given up before their act began, which is refused therefore. */
interface Fenced {
  readonly abandoned?: readonly string[];
}

/** What an image keeps in every status. */
type Lasting = Attributes &
  Fenced & {
    /** In the order in which they were added; dormant while the image is not shared. */
    readonly members: readonly Member[];
    /** Why it is under a legal hold; absent where it is under none. */
    readonly hold?: string;
  };

/** An import may run on a queued image (a location is being looked at) and on one with bytes (copies). */
export type Image =
  | ({ readonly status: 'absent' } & Fenced)
  | (Lasting & { readonly status: 'queued'; readonly upload: Upload | null })
  | (Lasting & { readonly status: 'saving' | 'uploading' | 'importing'; readonly upload: Upload })
  | (Lasting & {
      readonly status: 'active' | 'deactivated';
      readonly content: Content;
      readonly upload: Upload | null;
    })
  /** `was` is what a restore brings back. */
  | (Lasting & {
      readonly status: 'pending_delete';
      readonly was: 'active' | 'deactivated';
      readonly content: Content;
      /** ISO 8601. */
      readonly dueAt: string;
      readonly upload: null;
    })
  /** `dataRemoved` also when there was none. The id is spent for ever. */
  | { readonly status: 'deleted'; readonly dataRemoved: boolean };

/** An image that is there for those who may see it. */
export type Existing = Exclude<Image, { status: 'absent' | 'pending_delete' | 'deleted' }>;

export const absent: Image = { status: 'absent' };

export const isThere = (state: Image): state is Existing =>
  state.status !== 'absent' && state.status !== 'pending_delete' && state.status !== 'deleted';

/** The attempt under way, if there is one. */
export const uploadOf = (state: Image): Upload | null => ('upload' in state ? state.upload : null);

/** Claims that died, should the newest one be superseded now. An image that gets on does not kill its workers. */
export const deathsOf = ({ claimedBy, deadClaims, gotOn }: Upload): number =>
  claimedBy === null ? deadClaims : gotOn ? 0 : deadClaims + 1;

/** Whether an attempt's bytes are fetched by a worker. */
export const isDownload = (method: ImportMethod | null): method is Download =>
  method?.name === 'web-download' || method?.name === 'glance-download';

export type Download = ImportMethod & { readonly name: 'web-download' | 'glance-download' };

/** The bytes that we stored for an image. */
export const ownCopies = (state: Image): readonly Location[] =>
  'content' in state ? state.content.locations.filter(({ ours }) => ours) : [];

/** Their keys, whatever stores they are in. */
export const ownKeys = (state: Image): readonly string[] => ownCopies(state).map(({ key }) => key);

/** After this many claims that died the image is taken to kill its workers. */
export const maxDeadClaims = 5;
