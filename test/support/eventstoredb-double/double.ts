import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type Gate, gate } from './gate.ts';
import { type Fault, streamCalls, type Told } from './stream-calls.ts';
import { type TransactionLog, transactionLog } from './transaction-log.ts';

export interface DoubleOptions {
  /** Default: a new, empty one. Give that of a stopped double, and it was restarted. */
  readonly log?: TransactionLog;
  /** Default: a free one. */
  readonly port?: number;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** `name:password` that calls must have; default: none is asked for. */
  readonly credentials?: string;
  /** Largest append in bytes; default 16 MiB, where the real server's is 1 MiB. */
  readonly maxAppendBytes?: number;
  /** Of the leader, when this node is not it. */
  readonly leaderPort?: number;
}

export interface EventStoreDbDouble {
  readonly log: TransactionLog;
  readonly port: number;
  readonly url: string;
  readonly told: Told;
  /** The next append meets this; further ones queue up. */
  fault(fault: Fault): void;
  /** Breaks all connections. */
  drop(): void;
  /** Answers nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** From now on it is, or is no longer, the leader. */
  follow(leaderPort: number | undefined): void;
  stop(): Promise<void>;
}

const longestMessage = 16 * 1024 * 1024;

/**
 * Speaks EventStoreDB's gRPC protocol, on the client's own generated messages, over a log in memory: appends on both
 * paths with conflicts and idempotence, reads of streams and of everything, forwards and backwards, filters by prefix and
 * expression, subscriptions with checkpoints, gossip, leader redirects, basic authentication, and back pressure. Written
 * after the server's source (release 24); offsets as positions, system events between the others, and a refusal to read
 * from between two records are as there.
 *
 * It does not prove that the real server does the same. It keeps nothing on disk, replicates nothing, elects nobody, and
 * knows no scavenging, truncation, deletion, access control lists, persistent subscriptions or projections; its timing
 * is not the server's. `npm run test:eventstoredb` runs the same tests against a real one.
 */
export async function eventStoreDbDouble(options: DoubleOptions = {}): Promise<EventStoreDbDouble> {
  const log = options.log ?? transactionLog();
  const gone = new AbortController();
  let leaderPort = options.leaderPort;
  let entrance: Gate | undefined;
  const mayCall = (metadata: Metadata): StatusObject | undefined => {
    const { credentials } = options;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (expected !== undefined && metadata.get('authorization')[0] !== expected)
      return refusal(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });
    if (leaderPort !== undefined && metadata.get('requires-leader')[0] === 'true')
      return refusal(status.NOT_FOUND, 'Leader info available', {
        exception: 'not-leader',
        'leader-endpoint-host': '127.0.0.1',
        'leader-endpoint-port': String(leaderPort),
      });
    return undefined;
  };
  const calls = streamCalls({
    log,
    gone: gone.signal,
    mayCall,
    drop: () => entrance?.drop(),
    maxAppendBytes: options.maxAppendBytes ?? longestMessage,
  });

  const server = new Server({ 'grpc.max_receive_message_length': longestMessage });
  server.addService(StreamsService, calls.handlers);
  server.addService(ServerFeaturesService, {
    getSupportedMethods(_: unknown, answer: (error: null, value: unknown) => void) {
      const method = new features.SupportedMethod()
        .setServiceName('event_store.client.streams.streams')
        .setMethodName('batchappend');
      const methods = new features.SupportedMethods().setEventStoreServerVersion('24.0.0-double');
      methods.addMethods(method);
      answer(null, methods);
    },
  });
  server.addService(GossipService, {
    read(_: ServerUnaryCall<unknown, unknown>, answer: (error: null, value: unknown) => void) {
      const { LEADER } = gossip.MemberInfo.VNodeState;
      const leader = leaderPort ?? entrance?.port ?? 0;
      const member = new gossip.MemberInfo()
        .setState(LEADER)
        .setIsAlive(true)
        .setHttpEndPoint(new gossip.EndPoint().setAddress('127.0.0.1').setPort(leader));
      const info = new gossip.ClusterInfo();
      info.addMembers(member);
      answer(null, info);
    },
  });
  const inner = await new Promise<number>((resolve, reject) => {
    const { tls } = options;
    const secure = tls && [
      { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) },
    ];
    server.bindAsync(
      '127.0.0.1:0',
      secure ? ServerCredentials.createSsl(null, secure) : ServerCredentials.createInsecure(),
      (error, port) => (error === null ? resolve(port) : reject(error)),
    );
  });
  const opened = await gate(inner, options.port);
  entrance = opened;
  const user = options.credentials === undefined ? '' : `${options.credentials}@`;

  return {
    log,
    port: opened.port,
    url: `esdb://${user}127.0.0.1:${opened.port}?tls=${options.tls !== undefined}`,
    told: calls.told,
    fault: calls.fault,
    drop: opened.drop,
    pause: opened.pause,
    resume: opened.resume,
    follow(port) {
      leaderPort = port;
    },
    async stop() {
      gone.abort();
      await opened.close();
      server.forceShutdown();
    },
  };
}

function refusal(
  code: status,
  details: string,
  trailers: Readonly<Record<string, string>>,
): StatusObject {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return { code, details, metadata };
}
