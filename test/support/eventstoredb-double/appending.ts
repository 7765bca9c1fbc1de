import type { AppendReq, BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import { idOf, textOf } from './messages.ts';
import type { Expected, Proposed } from './transaction-log.ts';

/** An append that came whole. */
export interface Asked {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly Proposed[];
}

export async function askedPlain(parts: AsyncIterable<AppendReq>): Promise<Asked> {
  let stream = '';
  let expected: Expected = 'any';
  const events: Proposed[] = [];
  for await (const part of parts) {
    const options = part.getOptions();
    const message = part.getProposedMessage();
    if (options !== undefined) {
      stream = textOf(options.getStreamIdentifier()?.getStreamName_asU8());
      if (options.hasRevision()) expected = Number(options.getRevision());
      else if (options.hasNoStream()) expected = -1;
      else if (options.hasStreamExists()) expected = 'exists';
    }
    if (message !== undefined) events.push(proposed(message));
  }
  return { stream, expected, events };
}

/** Gathers the parts of several appends that share a call; gives each when its last part has come. */
export function askedInBatches() {
  const open = new Map<string, { asked: Asked; events: Proposed[] }>();
  return (part: BatchAppendReq): (Asked & { readonly correlation: string }) | undefined => {
    const correlation = idOf(part.getCorrelationId());
    const options = part.getOptions();
    if (options !== undefined) {
      const events: Proposed[] = [];
      const expected = options.hasStreamPosition()
        ? Number(options.getStreamPosition())
        : options.hasNoStream()
          ? -1
          : options.hasStreamExists()
            ? 'exists'
            : 'any';
      const stream = textOf(options.getStreamIdentifier()?.getStreamName_asU8());
      open.set(correlation, { asked: { stream, expected, events }, events });
    }
    const one = open.get(correlation);
    one?.events.push(...part.getProposedMessagesList().map(proposed));
    if (one === undefined || !part.getIsFinal()) return undefined;
    open.delete(correlation);
    return { ...one.asked, correlation };
  };
}

function proposed(message: AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage): Proposed {
  const about = message.getMetadataMap();
  return {
    id: idOf(message.getId()),
    type: about.get('type') ?? '',
    contentType: about.get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}
