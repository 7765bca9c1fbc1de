import type { JsonObject } from './json.ts';

/** Who acted: a caller with a token, or a part of the system by itself. */
export type Actor =
  | {
      readonly kind: 'user';
      readonly userId: string;
      readonly projectId: string | null;
      readonly roles: readonly string[];
    }
  | { readonly kind: 'system'; readonly part: string };

/** Why and from where an event came to be. Nothing personal: that lies in an erasable record, here is its salted hash. */
export interface Metadata {
  readonly actor: Actor;
  /** `req-<uuid>`: the HTTP request, or the system's own run. */
  readonly requestId: string;
  /** The caller's own id for a chain of requests, where it sent one. */
  readonly globalRequestId?: string;
  /** The policy rule that allowed it, for example `modify_image`. */
  readonly rule?: string;
  /** The command, or the event, that led to this one. */
  readonly causationId: string;
  /** The same through everything that one request set in motion. */
  readonly correlationId: string;
  /** Hash of the erasable record (user name, remote address, user agent). */
  readonly personal?: string;
  /** Id of the bulk import through which the actor asked. */
  readonly bulkImport?: string;
}

/** A fact on its way into the log. */
export interface NewEvent {
  /** UUID, the same again when the same command is tried again. */
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: JsonObject;
  readonly metadata: Metadata;
}

/** A fact in the log, in its newest shape: adapters upcast on the way in. */
export interface RecordedEvent extends NewEvent {
  readonly streamId: string;
  /** 0, 1, 2 … within the stream. */
  readonly revision: number;
  /** Place in the whole log; compared only for order. The first event is above 0. */
  readonly position: bigint;
  /** When the log took it, by the log's clock. */
  readonly recordedAt: Date;
}

export interface StreamSlice {
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  /** Of the stream's last event, -1 when it has none. */
  readonly revision: number;
  /** Of the last event here, 0 when there is none. */
  readonly position: bigint;
}

/**
 * The authority: an append-only log of facts in streams, totally ordered.
 * Position order is commit order: who has read up to P has read everything up to P, for ever.
 */
export interface EventLog {
  /**
   * The stream's events, or only those above the revision `after`. When there are none, `revision` is `after` (-1 by
   * default) and `position` is 0. Every adapter must read no more than that: streams of projects are long.
   */
  readStream(streamId: string, after?: number): Promise<StreamSlice>;
  /**
   * All or nothing, when the stream's last revision is `expected` (-1: the stream is new); gives the last event's position.
   * Rejects with `RevisionConflict` (nothing was appended), `AppendUnknown` (connection lost after sending: it may
   * have been appended) or `LogUnavailable` (nothing was sent).
   */
  append(streamId: string, events: readonly NewEvent[], expected: number): Promise<bigint>;
  /** At most `limit` events above `after`, in position order; fewer when they are large, but none only when there are none. */
  readAll(after: bigint, limit: number): Promise<readonly RecordedEvent[]>;
  /** Position of the newest event, 0 for an empty log. */
  head(): Promise<bigint>;
  /**
   * Every event above `after`, in position order, in non-empty batches, until `signal` aborts (then it ends quietly).
   * Outlives lost connections by itself: it goes on after the last batch that it gave.
   */
  follow(after: bigint, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]>;
  close(): Promise<void>;
}

/** The stream has moved on; nothing was appended. */
export class RevisionConflict extends Error {
  constructor(streamId: string, expected: number) {
    super(`stream ${streamId} is not at revision ${expected}`);
    this.name = 'RevisionConflict';
  }
}

/** The answer to an append was lost: look for the event ids before trying again. */
export class AppendUnknown extends Error {
  constructor(streamId: string, cause: unknown) {
    super(`no answer to an append to ${streamId}: it may be recorded or not`, { cause });
    this.name = 'AppendUnknown';
  }
}

/** The log cannot be reached; nothing was sent. */
export class LogUnavailable extends Error {
  constructor(cause: unknown) {
    super('the event log cannot be reached', { cause });
    this.name = 'LogUnavailable';
  }
}
