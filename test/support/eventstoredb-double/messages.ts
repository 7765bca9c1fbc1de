import type { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statusMessages from '@eventstore/db-client/generated/status_pb.js';
import type {
  AppendResp,
  BatchAppendResp,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import anyMessages from 'google-protobuf/google/protobuf/any_pb.js';
import emptyMessages from 'google-protobuf/google/protobuf/empty_pb.js';
import type { Expected, Kept } from './transaction-log.ts';

const { ReadResp: Read } = streams;
const { RecordedEvent } = Read.ReadEvent;
const empty = () => new shared.Empty();
const googleEmpty = () => new emptyMessages.Empty();

const identifier = (stream: string) =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));

export const textOf = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? []).toString('utf8');

export const idOf = (uuid: UUID | undefined): string => uuid?.getString() ?? '';

export function eventMessage(kept: Kept): ReadResp {
  const { id, type, contentType, data, metadata } = kept.event;
  const recorded = new RecordedEvent()
    .setId(new shared.UUID().setString(id))
    .setStreamIdentifier(identifier(kept.stream))
    .setStreamRevision(String(kept.revision))
    .setCommitPosition(String(kept.position))
    .setPreparePosition(String(kept.position))
    .setData(data)
    .setCustomMetadata(metadata);
  recorded.getMetadataMap().set('type', type);
  recorded.getMetadataMap().set('created', String(BigInt(kept.created.getTime()) * 10_000n));
  recorded.getMetadataMap().set('content-type', contentType);
  const event = new Read.ReadEvent().setEvent(recorded).setCommitPosition(String(kept.position));
  return new Read().setEvent(event);
}

export const confirmationMessage = (id: string): ReadResp =>
  new Read().setConfirmation(new Read.SubscriptionConfirmation().setSubscriptionId(id));

export const caughtUpMessage = (): ReadResp => new Read().setCaughtUp(new Read.CaughtUp());

export const checkpointMessage = (position: bigint): ReadResp =>
  new Read().setCheckpoint(
    new Read.Checkpoint().setCommitPosition(String(position)).setPreparePosition(String(position)),
  );

export const notFoundMessage = (stream: string): ReadResp =>
  new Read().setStreamNotFound(new Read.StreamNotFound().setStreamIdentifier(identifier(stream)));

export const appended = (revision: number, position: bigint): AppendResp =>
  new streams.AppendResp().setSuccess(
    new streams.AppendResp.Success()
      .setCurrentRevision(String(revision))
      .setPosition(
        new streams.AppendResp.Position()
          .setCommitPosition(String(position))
          .setPreparePosition(String(position)),
      ),
  );

export function conflict(expected: Expected, current: number): AppendResp {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (expected === 'any') wrong.setExpectedAny(empty());
  else if (expected === 'exists') wrong.setExpectedStreamExists(empty());
  else if (expected < 0) wrong.setExpectedNoStream(empty());
  else wrong.setExpectedRevision(String(expected));
  if (current < 0) wrong.setCurrentNoStream(empty());
  else wrong.setCurrentRevision(String(current));
  return new streams.AppendResp().setWrongExpectedVersion(wrong);
}

const batchAnswer = (correlation: string, stream: string): BatchAppendResp =>
  new streams.BatchAppendResp()
    .setCorrelationId(new shared.UUID().setString(correlation))
    .setStreamIdentifier(identifier(stream));

export const batchAppended = (
  correlation: string,
  stream: string,
  revision: number,
  position: bigint,
): BatchAppendResp =>
  batchAnswer(correlation, stream).setSuccess(
    new streams.BatchAppendResp.Success()
      .setCurrentRevision(String(revision))
      .setPosition(
        new shared.AllStreamPosition()
          .setCommitPosition(String(position))
          .setPreparePosition(String(position)),
      ),
  );

/** As `google.rpc.Status` with the particulars packed into it. */
export function batchConflict(
  correlation: string,
  stream: string,
  expected: Expected,
  current: number,
): BatchAppendResp {
  const wrong = new shared.WrongExpectedVersion();
  if (expected === 'any') wrong.setExpectedAny(googleEmpty());
  else if (expected === 'exists') wrong.setExpectedStreamExists(googleEmpty());
  else if (expected < 0) wrong.setExpectedNoStream(googleEmpty());
  else wrong.setExpectedStreamPosition(String(expected));
  if (current < 0) wrong.setCurrentNoStream(googleEmpty());
  else wrong.setCurrentStreamRevision(String(current));
  const packed = new anyMessages.Any();
  packed.pack(wrong.serializeBinary(), 'event_store.client.WrongExpectedVersion');
  const status = new statusMessages.Status().setMessage('WrongExpectedVersion').setDetails(packed);
  return batchAnswer(correlation, stream).setError(status);
}
