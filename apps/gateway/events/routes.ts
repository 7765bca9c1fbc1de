import type { Access } from '../../../domain/image/access.ts';
import { asyncApi } from '../../../infra/outside/async-api.ts';
import { documentFor, type Reader } from '../../../infra/outside/document-for.ts';
import { schemaFiles } from '../../../infra/outside/schema-files.ts';
import type { EventPage, EventQuery, Events } from '../../../projections/events/events.ts';
import { expectNoBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import { HttpError } from '../http-error.ts';
import type { Identity } from '../identity.ts';
import { type GatewayRouter, parameter } from '../routes/routes.ts';
import { parametersOf } from '../wire/query-string.ts';
import { pageQueryFrom, streamQueryFrom } from './query.ts';
import type { Streams } from './streams.ts';

/** What one request looks through at most for events that are rare; the next goes on. */
const mostLooks = 20;

/** What happened, for integrators: pages, a stream, and the schemas of both. */
export function eventRoutes(
  router: GatewayRouter,
  {
    events,
    streams,
    access,
    identity,
    region,
  }: {
    events: Events;
    streams: Streams;
    access: Access;
    identity: Identity;
    region: string;
  },
): void {
  const viewerOf = (caller: GatewayContext['call']['caller']): Reader => {
    access.authorizeOwn('get_images', caller);
    return {
      projectId: caller.projectId,
      isAdmin: access.isAdmin(caller),
      isReadable: (property) => access.ruleAgainst('read', property, caller) === undefined,
    };
  };

  router.get('/events/v1', async (ctx) => {
    expectNoBody(ctx.req);
    const asked = pageQueryFrom(parametersOf(ctx.querystring));
    const viewer = viewerOf(ctx.call.caller);
    const head = await events.checkpoint();
    const page = await firstFound(events, { ...asked, viewer, upTo: head });
    ctx.body = {
      events: page.events.map((told) => documentFor(told, viewer, region)),
      next: String(page.next),
      head: String(head),
    };
  });

  router.get('/events/v1/stream', async (ctx) => {
    expectNoBody(ctx.req);
    const asked = streamQueryFrom(parametersOf(ctx.querystring), ctx.get('Last-Event-ID'));
    let caller: typeof ctx.call.caller | undefined = ctx.call.caller;
    viewerOf(caller);
    await streams.serve(ctx, {
      ...asked,
      async viewer() {
        const known = caller;
        caller = undefined;
        if (known !== undefined) return viewerOf(known);
        const wish = { method: ctx.method, path: ctx.path };
        return viewerOf((await identity.identify(ctx.headers, wish)).caller);
      },
    });
  });

  router.get('/events/v1/asyncapi.json', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = asyncApi;
  });

  router.get('/events/v1/schemas', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = { schemas: [...schemaFiles.keys()].map((file) => `/events/v1/schemas/${file}`) };
  });

  router.get('/events/v1/schemas/:file', async (ctx) => {
    expectNoBody(ctx.req);
    const schema = schemaFiles.get(parameter(ctx, 'file'));
    if (schema === undefined) throw new HttpError(404, 'There is no schema of that name.');
    ctx.body = schema;
  });
}

/** A page with something on it, or the end, or how far it was looked in vain. */
async function firstFound(events: Events, query: EventQuery): Promise<EventPage> {
  let page = await events.page(query);
  for (let looks = 1; page.events.length === 0 && looks < mostLooks; looks += 1) {
    if (page.next >= query.upTo) break;
    page = await events.page({ ...query, after: page.next });
  }
  return page;
}
