import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { CallOptions, Channel, Metadata } from '@grpc/grpc-js';
import { problemWithConnectionString } from './connection-string.ts';

/** What the client keeps protected, and this adapter cannot do without. Its tests notice when an update takes one away. */
interface Inside {
  supports: (method: unknown) => Promise<boolean>;
  GRPCStreamCreator<Stream extends Readable>(
    service: typeof StreamsClient,
    name: string,
    create: (client: StreamsClient) => Stream,
  ): () => Promise<Stream>;
  callArguments(
    base: { readonly requiresLeader?: boolean },
    options: Partial<CallOptions>,
  ): [Metadata, CallOptions];
  getChannel(): Promise<Channel>;
}

export interface Client {
  readonly appendToStream: EventStoreDBClient['appendToStream'];
  /** Opens a stream of answers as the client would: discovery, credentials, a new channel after a lost one. */
  open<Stream extends Readable>(
    create: (client: StreamsClient, metadata: Metadata, options: CallOptions) => Stream,
    requiresLeader: boolean,
  ): Promise<Stream>;
  close(): Promise<void>;
}

const closeMs = 1_000;

/**
 * The client of EventStoreDB, with its batches of appends switched off: what it keeps of them is shared by all clients of
 * the process, so that one broken connection rejects the appends of all, an answer after that throws where nobody can
 * catch it, and an append that is never answered waits for ever. Throws on a bad connection string.
 */
export function eventStoreClient(url: string): Client {
  const problem = problemWithConnectionString(url);
  if (problem !== undefined) throw new Error(problem);
  const client = EventStoreDBClient.connectionString(url);
  const inside = client as unknown as Inside;
  inside.supports = async () => false;
  let used = false;

  return {
    appendToStream: (...args: Parameters<typeof client.appendToStream>) => {
      used = true;
      return client.appendToStream(...args);
    },
    open(create, requiresLeader) {
      used = true;
      const creator = inside.GRPCStreamCreator(StreamsClient, 'read', (streams) =>
        create(
          streams,
          ...inside.callArguments({ requiresLeader }, { deadline: Number.POSITIVE_INFINITY }),
        ),
      );
      return creator();
    },
    async close() {
      await client.dispose();
      if (!used) return;
      // Where there is none any more, it would look for a node first, however long that takes.
      const closed = inside.getChannel().then((channel) => channel.close());
      await Promise.race([closed.catch(() => {}), delay(closeMs, undefined, { ref: false })]);
    },
  } as Client;
}
