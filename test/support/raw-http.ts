import { type IncomingHttpHeaders, request } from 'node:http';

export interface RawAnswer {
  readonly status: number | undefined;
  readonly message: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** GET of a path as it is written, which `fetch` would put right. */
export function get(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece) => pieces.push(piece)).on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          message: response.statusMessage,
          headers: response.headers,
          body: Buffer.concat(pieces).toString(),
        }),
      );
    });
    asked.on('error', reject).end();
  });
}
