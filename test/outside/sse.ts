import { type IncomingMessage, request } from 'node:http';
import { generousMs } from '../support/until.ts';

export interface SseEvent {
  readonly id: string;
  readonly document: Record<string, unknown>;
}

/** One stream as a client of the usual kind has it. */
export interface SseClient {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** All that has come so far. */
  readonly events: readonly SseEvent[];
  /** Comments that have come so far. */
  readonly comments: readonly string[];
  /** The id with which it would come again. */
  lastId(): string;
  /** Resolves when so many events are here; rejects when the stream ends before. */
  until(count: number): Promise<readonly SseEvent[]>;
  /** Resolves when the server has ended the stream: true when it did so in good order. */
  readonly ended: Promise<boolean>;
  /** Reads no more, until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
}

export async function openStream(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<SseClient> {
  const asked = request(`${url}${path}`, { headers, agent: false });
  asked.end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.on('response', resolve).on('error', reject);
  });
  const events: SseEvent[] = [];
  const comments: string[] = [];
  const waiting = new Set<() => void>();
  let lastId = '';
  let rest = '';
  let over = false;
  asked.on('error', () => {});
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  const block = (text: string): void => {
    const data: string[] = [];
    for (const line of text.split('\n')) {
      if (line.startsWith(':')) comments.push(line.slice(1).trim());
      if (line.startsWith('id: ')) lastId = line.slice(4);
      if (line.startsWith('data: ')) data.push(line.slice(6));
    }
    if (data.length > 0) events.push({ id: lastId, document: JSON.parse(data.join('\n')) });
  };
  response.setEncoding('utf8').on('data', (text: string) => {
    const blocks = `${rest}${text}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const one of blocks) block(one);
    wake();
  });
  response.on('error', () => {});
  const ended = new Promise<boolean>((resolve) => {
    response.once('close', () => {
      over = true;
      wake();
      resolve(response.complete);
    });
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    comments,
    lastId: () => lastId,
    ended,
    until: (count) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          if (events.length >= count) resolve(events);
          else if (over) reject(new Error(`the stream ended with ${events.length} of ${count}`));
          else return;
          waiting.delete(settle);
          clearTimeout(timer);
        };
        const timer = setTimeout(() => {
          waiting.delete(settle);
          reject(new Error(`waited in vain for ${count} events; ${events.length} came`));
        }, generousMs);
        waiting.add(settle);
        settle();
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => asked.destroy(),
  };
}
