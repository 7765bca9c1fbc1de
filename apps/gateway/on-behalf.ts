import type { CommandContext } from '../../domain/command-handler.ts';
import type { Rule } from '../../domain/image/access.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Visible } from '../../projections/images/images.ts';
import type { Call, Trace } from './call.ts';
import { HttpError } from './http-error.ts';

/** How long a command is decided again after lost races, and how long its effect may take to be visible. */
export const deadlineMs = 15_000;

/** The ids by which what a request led to is found. */
export const traced = ({ requestId, globalRequestId, correlationId, bulkImport }: Trace) => ({
  requestId,
  ...(globalRequestId === undefined ? {} : { globalRequestId }),
  correlationId,
  ...(bulkImport === undefined ? {} : { bulkImport }),
});

/** Who asked, allowed by which rule, for the events of a call; the person's record is kept beside the log. */
export async function metadataOf(
  call: Call,
  rule: Rule,
  personal: PersonalRecords,
): Promise<CommandContext['metadata']> {
  const { userId, projectId, roles } = call.caller;
  return {
    actor: { kind: 'user', userId, projectId, roles },
    ...traced(call),
    rule,
    personal: call.personal ?? (await personal.remember(call.person)),
  };
}

/** Resolves once the effects up to a position can be seen; rejects with 504 otherwise, since something was appended. */
export const seenBy =
  (visible: Visible) =>
  (position: bigint): Promise<void> =>
    afterAppend(() => visible.waitFor(position, deadlineMs));

/** 503 says that nothing was appended, so past an append every failure is 504. */
export async function afterAppend<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    throw new HttpError(504, 'The change is recorded, but cannot be shown yet.', { cause: error });
  }
}

export async function inTime<Result>(
  run: (deadline: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), deadlineMs);
  return run(deadline.signal).finally(() => clearTimeout(timer));
}
