import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between client and server and does to connections what networks do. */
export interface Gate {
  readonly port: number;
  /** Breaks every connection off, now. */
  drop(): void;
  /** From now on nothing goes through, and nobody is told. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export async function gate(to: number, port = 0): Promise<Gate> {
  const sockets = new Set<Socket>();
  let paused = false;
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.on('data', (chunk) => {
        if (!other.write(chunk)) one.pause();
      });
      one.on('drain', () => {
        if (!paused) other.resume();
      });
    }
    if (paused) for (const one of [near, far]) one.pause();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    drop,
    pause() {
      paused = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      paused = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      drop();
      server.close();
      await once(server, 'close');
    },
  };
}
