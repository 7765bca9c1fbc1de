import type { Middleware } from 'koa';
import { AppendUnknown, LogUnavailable, RevisionConflict } from '../../domain/event-log.ts';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import { type RefusalCode, Refused } from '../../domain/refused.ts';
import { StoreUnavailable } from '../../domain/store.ts';
import { CallerRefused } from '../../infra/identity/caller-refused.ts';
import { IdentityUnavailable, TokenRefused } from '../../infra/identity/keystone/errors.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { MarkerInvisible, MarkerUnknown, NotYetVisible } from '../../projections/images/images.ts';
import { TaskMarkerUnknown } from '../../projections/tasks/tasks.ts';
import type { CallContext } from './call.ts';
import { ClientGone } from './client-gone.ts';
import { errorBody, reasonPhrase } from './error-body.ts';
import { HttpError } from './http-error.ts';

const statusOf = {
  'image-unknown': 404,
  'image-exists': 409,
  'image-protected': 403,
  'image-held': 409,
  'image-not-queued': 409,
  'image-not-active': 403,
  'wrong-status': 409,
  'operation-in-progress': 409,
  'formats-missing': 400,
  'formats-missing-for-import': 409,
  'format-fixed': 403,
  'not-allowed': 403,
  'property-exists': 409,
  'property-missing': 409,
  'field-fixed': 403,
  'tag-missing': 404,
  'not-shared': 403,
  'member-exists': 409,
  'member-unknown': 404,
  'copy-unknown': 404,
  'copy-exists': 400,
  'last-location': 403,
  'location-exists': 400,
  'location-unknown': 400,
  'locations-differ': 400,
  'validation-conflict': 409,
  'limit-exceeded': 413,
  'quota-exceeded': 413,
  'reservation-abandoned': 503,
  'upload-ended': 410,
  'claim-superseded': 409,
  'namespace-unknown': 404,
  'namespace-exists': 409,
  'namespace-protected': 403,
  'name-contested': 409,
  'definition-unknown': 404,
  'definition-exists': 409,
  'webhook-unknown': 404,
  'project-unknown': 404,
  'bulk-import-unknown': 404,
  'bulk-import-over': 409,
} satisfies Record<RefusalCode, number>;

interface Answer {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Turns everything thrown below it into an answer; what nobody foresaw is logged once, with its stack. */
export const errors =
  (log: Logger): Middleware<object, Partial<CallContext>> =>
  async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const answer = answerTo(error);
      if (answer.status >= 500 && answer.status !== 501)
        log.error(
          { requestId: ctx.call?.requestId, method: ctx.method, path: ctx.path, err: error },
          answer.message,
        );
      if (ctx.headerSent) {
        ctx.res.destroy();
        return;
      }
      const body = errorBody(answer.status, answer.message, ctx.headers.accept);
      ctx.respond = true; // a download whose first read failed had taken the response for itself
      for (const name of ['Content-MD5', 'Content-Range']) ctx.remove(name);
      ctx.status = answer.status;
      ctx.message = reasonPhrase(answer.status);
      if (answer.headers) ctx.set(answer.headers);
      ctx.set('Content-Type', body.type);
      ctx.body = body.text;
    }
  };

function answerTo(error: unknown): Answer {
  if (error instanceof HttpError) return error;
  if (error instanceof Refused) return { status: statusOf[error.code], message: error.message };
  if (error instanceof TokenRefused)
    return {
      status: 401,
      message: error.message,
      headers: { 'WWW-Authenticate': error.challenge },
    };
  if (error instanceof CallerRefused) return { status: 401, message: error.message };
  if (error instanceof LimitsUnavailable) return { status: 503, message: error.message };
  if (error instanceof IdentityUnavailable) return { status: 503, message: error.message };
  if (error instanceof ClientGone) return { status: 400, message: error.message };
  if (error instanceof MarkerUnknown) return { status: 400, message: error.message };
  if (error instanceof TaskMarkerUnknown) return { status: 400, message: error.message };
  if (error instanceof MarkerInvisible) return { status: 403, message: error.message };
  if (error instanceof RevisionConflict)
    return { status: 409, message: 'The image was changed by others meanwhile. Try again.' };
  if (error instanceof LogUnavailable || isUnreachable(error))
    return { status: 503, message: 'The service cannot reach its database. Nothing was changed.' };
  if (error instanceof StoreUnavailable) return { status: 503, message: error.message };
  if (error instanceof AppendUnknown)
    return { status: 504, message: 'It is not known whether the change was recorded.' };
  if (error instanceof NotYetVisible)
    return { status: 504, message: 'The change is recorded, but cannot be seen yet.' };
  return { status: 500, message: 'The server has met an unexpected condition.' };
}

const unreachableCodes: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '53300', // too_many_connections
  '42P01', // undefined_table: the read model is not built yet
  '3F000', // invalid_schema_name: likewise
]);

/** Whether a query failed because its database could not be reached, by the driver's and Postgres's own codes. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return (
    unreachableCodes.has(code) ||
    (code === 'ENOENT' && syscall === 'connect') || // a Unix socket that is gone
    /^Connection terminated|^timeout exceeded when trying to connect|connection error and is not queryable$/.test(
      error.message,
    )
  );
}
