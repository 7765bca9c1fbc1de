/** Why a download ends without the bytes. The message is for the image's owner: what is wrong, and what can be done. */
export abstract class DownloadFailed extends Error {
  abstract readonly reason: DownloadFailure;

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = new.target.name;
  }
}

export type DownloadFailure =
  | 'source-refused'
  | 'source-gone'
  | 'source-changed'
  | 'source-lied'
  | 'source-too-large'
  | 'checksum-mismatch'
  | 'source-unavailable';

/** The guard, the server or its certificate keeps us away, or the server gives something that cannot be used. */
export class SourceRefused extends DownloadFailed {
  readonly reason = 'source-refused';
}

/** The server has no such file. */
export class SourceGone extends DownloadFailed {
  readonly reason = 'source-gone';
}

/** The file became another while it was fetched, again and again. */
export class SourceChanged extends DownloadFailed {
  readonly reason = 'source-changed';
}

/** The server's word on what it gives is not true. */
export class SourceLied extends DownloadFailed {
  readonly reason = 'source-lied';
}

/** There is more than may be. */
export class SourceTooLarge extends DownloadFailed {
  readonly reason = 'source-too-large';
}

/** The bytes are whole, and not those that were expected. */
export class ChecksumMismatch extends DownloadFailed {
  readonly reason = 'checksum-mismatch';
}

/** Patience ended before the bytes came. */
export class SourceUnavailable extends DownloadFailed {
  readonly reason = 'source-unavailable';
}

/** Something that may be over in a moment. */
export class Setback extends Error {
  /** What the server asks for; null where it does not. */
  readonly retryAfterMs: number | null;
  /** It is not worth waiting longer for. */
  readonly patienceMs: number;

  constructor(
    message: string,
    cause?: unknown,
    retryAfterMs: number | null = null,
    patienceMs: number = Number.POSITIVE_INFINITY,
  ) {
    super(message, { cause });
    this.name = 'Setback';
    this.retryAfterMs = retryAfterMs;
    this.patienceMs = patienceMs;
  }
}
