import type { AbortReason, IngestFailure } from '../../domain/image/events.ts';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import { Refused } from '../../domain/refused.ts';
import { StagingFull } from '../../domain/staging.ts';
import { ClientGone } from './client-gone.ts';
import { HttpError } from './http-error.ts';
import { WrongSize } from './receive.ts';
import type { UploadEnd } from './upload-watch.ts';

/** The log ended the upload while its body was still coming. */
export class Ended extends Error {
  readonly end: UploadEnd;

  constructor(end: UploadEnd) {
    super(`the upload was ended by others: ${end.kind}`);
    this.end = end;
  }
}

export class GatewayStopped extends Error {}

/** Why a body did not become an upload: for the log, and for the client. */
export function breach(error: unknown): {
  readonly reason: AbortReason;
  readonly answer: HttpError;
} {
  const because = (reason: AbortReason, status: number, message: string) => ({
    reason,
    answer: new HttpError(status, message, { cause: error }),
  });
  if (error instanceof Ended) return { reason: 'client-gone', answer: answerTo(error.end) };
  if (error instanceof WrongSize)
    return because(error.reason, error.reason === 'too-large' ? 413 : 400, error.message);
  if (error instanceof ClientGone)
    return because('client-gone', 400, 'The upload ended before its whole body had come.');
  if (error instanceof Refused && error.code === 'quota-exceeded')
    return because('quota-exceeded', 413, error.message);
  if (error instanceof LimitsUnavailable) return because('staging-failed', 503, error.message);
  if (error instanceof StagingFull)
    return because('staging-full', 413, 'There is no room left for the upload.');
  if (error instanceof GatewayStopped)
    return because('gateway-stopped', 503, 'The service is stopping. Upload again.');
  return because('staging-failed', 500, 'The upload could not be stored.');
}

const failureStatus = {
  'format-refused': 415,
  'store-full': 413,
  'store-unavailable': 503,
  'staged-bytes-lost': 500,
  'location-unusable': 400,
  'digest-mismatch': 400,
  'workers-died': 500,
  'source-refused': 400,
  'source-gone': 400,
  'source-changed': 400,
  'source-lied': 400,
  'source-unavailable': 503,
  'staging-full': 413,
  'too-large': 413,
  'quota-exceeded': 413,
  'copies-unusable': 503,
  'plugin-failed': 400,
} satisfies Record<IngestFailure, number>;

export function answerTo(end: UploadEnd): HttpError {
  if (end.kind === 'failed') return new HttpError(failureStatus[end.reason], end.message);
  return endedByOthers();
}

export const endedByOthers = (): HttpError =>
  new HttpError(410, 'The image was deleted or its upload was ended by others meanwhile.');
