import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { hasBody } from './body.ts';
import { callOf, requestIdHeader } from './call.ts';
import type { Identity } from './identity.ts';
import type { ImageReads } from './image-reads.ts';
import type { ObserveRequest } from './request-log.ts';
import { isUuid } from './wire/image-schema.ts';

/** What one of the plain reads asks for. */
type Read =
  | { readonly kind: 'show'; readonly imageId: string }
  | { readonly kind: 'list'; readonly queryString: string };

const routes = { show: '/v2/images/:imageId', list: '/v2/images' } as const;
const prefix = '/v2/images';

/** With these, the whole application has a say: versions, other origins, expectations. */
const unusual = ['accept', 'origin', 'expect', 'upgrade'] as const;

/**
 * Answers what is asked most, showing and listing images, ahead of the application, by the same rules and with the same
 * bytes: half of the time of such a request is the way through layers that have nothing to say of it. Whatever is not
 * plain, and whatever goes wrong, is the application's, which begins anew: nothing was answered before.
 */
export function quickReads(
  {
    identity,
    reads,
    observe,
  }: { identity: Identity; reads: Pick<ImageReads, 'show' | 'list'>; observe: ObserveRequest },
  application: RequestListener,
): RequestListener {
  const answer = async (
    read: Read,
    request: IncomingMessage,
    response: ServerResponse,
    started: number,
  ): Promise<void> => {
    const path = read.kind === 'list' ? prefix : `${prefix}/${read.imageId}`;
    const call = await callOf(identity, request, path);
    const body =
      read.kind === 'show'
        ? Buffer.from(await reads.show(call, read.imageId))
        : await reads.list(call, read.queryString);
    observe(request, response, started, () => ({ route: routes[read.kind], call }));
    response.writeHead(200, {
      [requestIdHeader]: call.requestId,
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.byteLength,
    });
    response.end(body);
  };

  return (request, response) => {
    const started = performance.now();
    const read = plainRead(request);
    if (read === undefined) {
      application(request, response);
      return;
    }
    answer(read, request, response, started).catch(() => {
      if (response.headersSent) response.destroy();
      else application(request, response);
    });
  };
}

function plainRead(request: IncomingMessage): Read | undefined {
  const { method, url = '', headers } = request;
  if (method !== 'GET' || !url.startsWith(prefix) || hasBody(request)) return undefined;
  if (url.includes('#')) return undefined;
  if (unusual.some((name) => !isUsual(name, headers[name]))) return undefined;
  if (url.length === prefix.length) return { kind: 'list', queryString: '' };
  const rest = url.slice(prefix.length + 1);
  if (url[prefix.length] === '?') return { kind: 'list', queryString: rest };
  const isShow = url[prefix.length] === '/' && isUuid(rest) && rest === rest.toLowerCase();
  return isShow ? { kind: 'show', imageId: rest } : undefined;
}

const isUsual = (name: (typeof unusual)[number], value: string | undefined): boolean =>
  value === undefined || (name === 'accept' && !value.startsWith('application/vnd.openstack'));
