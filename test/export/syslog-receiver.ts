import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { after } from 'node:test';
import { createServer as createTls, TLSSocket } from 'node:tls';
import { selfSigned } from '../support/keystone-certificate.ts';
import { framesIn, parsedMessage, type SyslogMessage } from './rfc5424.ts';

/** Who is sent syslog messages, on loopback until the test file ends. Takes nothing that the RFCs do not allow. */
export interface SyslogReceiver {
  readonly port: number;
  /** PEM of the certificate that it shows; undefined without TLS. */
  readonly cert: string | undefined;
  /** Every whole message, in the order in which they came. */
  readonly messages: readonly SyslogMessage[];
  /** What was not allowed. */
  readonly faults: readonly string[];
  readonly connections: number;
  /** Reads nothing more, from now on until it comes back: what is sent lies in its kernel. */
  stall(): void;
  /** Stops listening and resets every connection, whatever lies unread in it. */
  die(): Promise<void>;
  comeBack(): Promise<void>;
  /** Whether it leaves its own side open when the sender has ended. */
  stayOpen(stays: boolean): void;
}

export async function syslogReceiver({ tls = false } = {}): Promise<SyslogReceiver> {
  const messages: SyslogMessage[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  const identification = tls ? await selfSigned('127.0.0.1') : undefined;
  let connections = 0;
  let staysOpen = false;
  let isStalled = false;
  let server: Server = createTcp();

  const take = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      try {
        const found = framesIn(Buffer.concat([rest, chunk]));
        rest = found.rest;
        for (const frame of found.frames) messages.push(parsedMessage(frame));
      } catch (error) {
        faults.push((error as Error).message);
        socket.destroy();
      }
    });
    socket.on('end', () => {
      if (rest.length > 0) faults.push(`ended within a frame of ${rest.length} octets`);
      if (!staysOpen) socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (isStalled) socket.pause();
  };

  const listen = async (port: number): Promise<void> => {
    const made =
      identification === undefined
        ? createTcp({ allowHalfOpen: true }, take)
        : createTls({ ...identification, allowHalfOpen: true, minVersion: 'TLSv1.2' }, take);
    made.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    made.on('tlsClientError', () => {});
    server = made;
    await new Promise<void>((resolve) => made.listen(port, '127.0.0.1', resolve));
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const die = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets)
      if (socket instanceof TLSSocket) socket.destroy();
      else socket.resetAndDestroy();
    await closed;
  };
  after(die);
  return {
    ...{ port, messages, faults, die },
    cert: identification?.cert,
    get connections() {
      return connections;
    },
    stall() {
      isStalled = true;
      for (const socket of sockets) socket.pause();
    },
    comeBack() {
      isStalled = false;
      return listen(port);
    },
    stayOpen(stays) {
      staysOpen = stays;
    },
  };
}
