import { type Problem, textOf } from '../../bulk/manifest/problems.ts';
import type { Cloud } from './cloud.ts';
import { reach } from './reach.ts';

/** An answer that is no success. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

/** What can be sent. */
export type Body = NonNullable<RequestInit['body']>;

export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is asked for anew when it is sent again. */
  readonly body?: string | (() => Promise<Body>);
  readonly signal?: AbortSignal | undefined;
}

/** The API of an image service. Rejects with `Refusal`, or when it cannot be reached. */
export interface Api {
  json<Document>(path: string, request?: Request): Promise<Document>;
  send(path: string, request?: Request): Promise<Response>;
}

export function apiOf(cloud: Cloud): Api {
  const once = async (path: string, request: Request, isRefused: boolean): Promise<Response> => {
    const token = await cloud.token(isRefused);
    const { body, method = 'GET', signal } = request;
    return reach(`${cloud.url}${path}`, {
      method,
      headers: { ...request.headers, ...(token === null ? {} : { 'X-Auth-Token': token }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : await body() }),
      ...(typeof body === 'function' ? { duplex: 'half' } : {}),
      ...(signal === undefined ? {} : { signal }),
    } as RequestInit);
  };

  const send = async (path: string, request: Request = {}): Promise<Response> => {
    let response = await once(path, request, false);
    if (response.status === 401) {
      await response.body?.cancel();
      response = await once(path, request, true);
    }
    if (response.ok) return response;
    const said = messageIn(response.status, await response.text());
    if (response.status !== 401) throw new Refusal(response.status, said);
    // Two services may be asked in one command.
    throw new Refusal(response.status, `${cloud.url} does not accept the token: ${said}`);
  };

  return {
    send,
    json: async <Document>(path: string, request?: Request) =>
      (await (await send(path, request)).json()) as Document,
  };
}

/** What an answer says, as JSON of ours or as the pages that Glance answers with. */
function messageIn(status: number, text: string): string {
  try {
    const { message, problems } = JSON.parse(text) as {
      readonly message?: string;
      readonly problems?: readonly Problem[];
    };
    const said = [
      message,
      ...(problems ?? []).map((problem) => `  ${textOf({ ...problem, line: null })}`),
    ];
    return said.filter((line) => line !== undefined).join('\n');
  } catch {
    const plain = text.replace(/<title>.*<\/title>|<[^>]*>/gs, ' ').replace(/\s+/g, ' ');
    const said = plain.trim();
    return said.startsWith(`${status} `) ? said : `${status}: ${said}`;
  }
}
