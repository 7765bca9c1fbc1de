import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { connect, type NatsConnection } from 'nats';
import { type OwnServer, ownServer } from './own-server.ts';

export interface NatsServer extends OwnServer {
  readonly url: string;
  /** Removes all that JetStream keeps. For a server that was killed. */
  forget(): Promise<void>;
  /** A connection of the test's own. */
  connect(): Promise<NatsConnection>;
}

/** A `nats-server` with JetStream, gone after the test; `more` are further lines of its configuration. */
export async function natsServer(more = ''): Promise<NatsServer> {
  const server = await startNatsServer(more);
  after(() => server.remove());
  return server;
}

/** The same, for who removes it himself. */
export async function startNatsServer(more = ''): Promise<NatsServer> {
  const server = await ownServer({
    debianPackage: 'nats-server',
    async command(port, directory) {
      const file = join(directory, 'nats.conf');
      await writeFile(
        file,
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(directory, 'js')}" }\n${more}\n`,
      );
      return ['nats-server', '-c', file];
    },
  });
  return {
    ...server,
    url: `nats://127.0.0.1:${server.port}`,
    forget: () => rm(join(server.directory, 'js'), { recursive: true, force: true }),
    connect: () =>
      connect({
        servers: `127.0.0.1:${server.port}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
      }),
  };
}
