import { convertToCommandError, ErrorType } from '@eventstore/db-client';
import { AppendUnknown, LogUnavailable, RevisionConflict } from '../../../domain/event-log.ts';

/** Where a failure came from: our own side before anything left it, or the server's refusal to begin. */
const nothingSent = [
  /^Failed to discover/,
  /No connection established/,
  /Name resolution failed/,
  /Channel closed before call started/,
  /waiting for name resolution/i,
  /Waiting for LB pick/,
];
const notHandled = [/Server Is Not Ready/, /Server Is (Too )?Busy/, /No leader info available/];
/** Of a read from a place between two records: older servers say it less plainly. */
const badPosition = [/invalid position/i, /ReadAllResult: (InvalidPosition|Error)/];

interface Told {
  readonly type: string | undefined;
  readonly message: string;
}

function told(error: unknown): Told {
  const converted = convertToCommandError(error as Error) as Error & { readonly type?: string };
  return { type: converted.type, message: converted.message };
}

const says = ({ message }: Told, patterns: readonly RegExp[]): boolean =>
  patterns.some((pattern) => pattern.test(message));

/** The node that was asked does not lead; nothing was done, and the client turns to the one that does. */
export const isNotLeader = (error: unknown): boolean => told(error).type === ErrorType.NOT_LEADER;

export const isBadPosition = (error: unknown): boolean => says(told(error), badPosition);

/**
 * What became of an append. Unless it is certain that nothing was appended it is unknown: a server that ran out of time
 * may still commit, and a lost connection says nothing.
 */
export function appendFailure(streamId: string, expected: number, error: unknown): Error {
  const failure = told(error);
  const cause = error;
  switch (failure.type) {
    case ErrorType.WRONG_EXPECTED_VERSION:
      return new RevisionConflict(streamId, expected);
    case ErrorType.NOT_LEADER:
    case ErrorType.ACCESS_DENIED:
      return new LogUnavailable(cause);
    case ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED:
      return new Error(
        `the log cannot hold an event for ${streamId}: it is larger than EventStoreDB's MaxAppendSize lets an append be`,
        { cause },
      );
    case ErrorType.STREAM_DELETED:
    case ErrorType.MISSING_REQUIRED_METADATA_PROPERTY:
      return new Error(`the log takes no event for ${streamId}: ${failure.message}`, { cause });
    default:
      return says(failure, nothingSent) || says(failure, notHandled)
        ? new LogUnavailable(cause)
        : new AppendUnknown(streamId, cause);
  }
}
