import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { type Ask, downloaded, leanClient } from './lean.ts';

/** How fast, and how long each took. */
export interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Does `work` so many times, always `concurrency` of them at once. */
export async function atConcurrency(
  concurrency: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<Rate> {
  const took: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const began = performance.now();
      await work(index);
      took.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: concurrency }, lane));
  return { perSecond: (count / (performance.now() - began)) * 1000, ...percentiles(took) };
}

/** As much as is wanted at least, of both: what is quick goes on for the time, what is slow until the count. */
export interface Least {
  readonly count: number;
  readonly ms: number;
}

/** The same until both are reached; `done` is how many it were. */
export async function atLeast(
  concurrency: number,
  least: Least,
  work: (index: number) => Promise<unknown>,
): Promise<Rate & { readonly done: number }> {
  const took: number[] = [];
  let next = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (next < least.count || performance.now() - began < least.ms) {
      const index = next++;
      const from = performance.now();
      await work(index);
      took.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  const seconds = (performance.now() - began) / 1000;
  return { perSecond: took.length / seconds, done: took.length, ...percentiles(took) };
}

export function percentiles(took: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

export type Send = (
  status: number,
  method: string,
  path: string,
  body?: string | ((sink: NodeJS.WritableStream) => Promise<void>),
  headers?: RequestOptions['headers'],
) => Promise<IncomingMessage>;

export interface Sender {
  readonly send: Send;
  /** For small requests; not bounded by `connections`. */
  readonly ask: Ask;
  /** Reads a body to its end, and gives its length. */
  download(path: string): Promise<number>;
  close(): void;
}

/**
 * Requests over kept connections, each with the headers `always`; an answer is awaited by its head. Throws on a status
 * other than the expected.
 */
export function sender(
  url: string,
  connections: number,
  always: Readonly<Record<string, string>> = {},
): Sender {
  const lean = leanClient(url, always);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port, pathname } = new URL(url);
  const base = pathname.replace(/\/$/, '');
  const send: Send = (status, method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const all = { ...always, ...(headers as Readonly<Record<string, string>>) };
      const options = { agent, hostname, port, method, path: base + path, headers: all };
      const sent = request(options, (response) => {
        if (response.statusCode === status) return resolve(response);
        const because = textOf(response).then((text) => `${response.statusCode}: ${text}`);
        because.then((why) => reject(new Error(`${method} ${path}: ${why}`)), reject);
      });
      sent.on('error', reject);
      if (typeof body === 'function') body(sent).then(() => sent.end(), reject);
      else sent.end(body);
    });
  return {
    send,
    ask: lean.ask,
    download: (path) => downloaded(url, path, always),
    close() {
      agent.destroy();
      lean.close();
    },
  };
}

export async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Reads to the end; resolves with the number of bytes. */
export async function drained(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await new Promise((resolve, reject) => response.on('end', resolve).on('error', reject));
  return bytes;
}
