import { setImmediate as turn } from 'node:timers/promises';
import type { ClientBase, Connection, Submittable } from 'pg';

/** What the driver's own types leave out. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** What the driver calls as the server answers. */
interface CopyQuery extends Submittable {
  handleCopyInResponse(connection: CopyConnection): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/**
 * Runs `copy … from stdin` and sends the chunks, each a few whole rows as text, while the server takes in those before.
 * When it refuses one, or when the making of one throws, no row is copied.
 */
export function copyIn(
  db: Pick<ClientBase, 'query'>,
  sql: string,
  chunks: Iterable<string>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let over = false;
    let failure: unknown;

    const send = async (connection: CopyConnection): Promise<void> => {
      try {
        for (const chunk of chunks) {
          connection.sendCopyFromChunk(Buffer.from(chunk));
          await (connection.stream.writableNeedDrain ? drained(connection) : turn());
          if (over) return;
        }
        connection.endCopyFrom();
      } catch (error) {
        failure = error;
        connection.sendCopyFail('the rows could not be made');
      }
    };

    const query: CopyQuery = {
      submit: (connection) => connection.query(sql),
      handleCopyInResponse: (connection) => void send(connection),
      handleCommandComplete() {},
      handleReadyForQuery() {
        over = true;
        resolve();
      },
      handleError(error) {
        over = true;
        reject(failure ?? error);
      },
    };
    db.query(query);
  });
}

/** Until there is room for more, or nobody left to read it. */
const drained = ({ stream }: Connection): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
