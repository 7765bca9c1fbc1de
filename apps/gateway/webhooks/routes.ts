import type { Access, Rule } from '../../../domain/image/access.ts';
import { unknownWebhook } from '../../../domain/webhook/access.ts';
import { HostUnknown, UrlRefused } from '../../../infra/net/address-guard.ts';
import type { Poster } from '../../../infra/webhooks/post.ts';
import type { ProgressStore } from '../../../infra/webhooks/progress-store.ts';
import type { Events } from '../../../projections/events/events.ts';
import type { WebhookRecord } from '../../../projections/webhooks/webhooks.ts';
import { byHand } from '../../webhooks/by-hand.ts';
import { attemptDocument, keptAttemptDocument, webhookDocument } from '../../webhooks/documents.ts';
import type { BaseUrl } from '../base-url.ts';
import { expectNoBody, hasBody, jsonBody } from '../body.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { type GatewayRouter, type Handler, parameter } from '../routes/routes.ts';
import { isUuid } from '../wire/image-schema.ts';
import { parametersOf } from '../wire/query-string.ts';
import { type WebhookCommandPorts, webhookCommands } from './commands.ts';
import {
  askedAttemptsFrom,
  askedChangeFrom,
  askedPageFrom,
  askedRotationFrom,
  askedWebhookFrom,
} from './requests.ts';

export interface WebhookPorts extends WebhookCommandPorts {
  readonly poster: Poster;
  readonly progress: ProgressStore;
  readonly events: Events;
  readonly region: string;
  readonly imageAccess: Pick<Access, 'ruleAgainst'>;
}

const mostOfPage = 1_000;
const all = '/webhooks/v1/endpoints';
const one = `${all}/:webhookId`;

/** Endpoints that are told what happens, and what became of it. */
export function webhookRoutes(
  router: GatewayRouter,
  { baseUrl, ...ports }: WebhookPorts & { readonly baseUrl: BaseUrl },
): void {
  const { access, registered, poster, progress, log } = ports;
  const commands = webhookCommands(ports);
  const hand = byHand(ports);

  const found = async (
    ctx: Parameters<Handler>[0],
    { caller }: Call,
    rule: Rule,
  ): Promise<WebhookRecord> => {
    const webhookId = parameter(ctx, 'webhookId');
    const record = isUuid(webhookId) ? await registered.show(webhookId.toLowerCase()) : undefined;
    if (record === undefined) throw unknownWebhook();
    access.authorize(rule, record, caller);
    return record;
  };

  const admitted = async (url: string | undefined): Promise<void> => {
    if (url === undefined) return;
    await poster.admit(url).catch((error) => {
      if (error instanceof UrlRefused || error instanceof HostUnknown)
        throw new HttpError(400, `The url will not do: ${error.message}.`);
      throw error;
    });
  };

  /** What has not happened yet cannot have been told. */
  const guardPosition = async (after: bigint | undefined): Promise<void> => {
    if (after === undefined || after <= (await log.head())) return;
    throw new HttpError(400, 'after lies behind the newest event.');
  };

  router.post(all, async (ctx) => {
    const { caller } = ctx.call;
    const asked = askedWebhookFrom(await jsonBody(ctx), caller.projectId);
    access.authorizeNew('add_webhook', asked, caller);
    await admitted(asked.url);
    await guardPosition(asked.after);
    const { record, secret } = await commands.register(ctx.call, asked);
    ctx.status = 201;
    ctx.set('Location', `${baseUrl(ctx.req)}${all}/${record.id}`);
    ctx.body = { ...webhookDocument(record), secret };
  });

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const page = askedPageFrom(parametersOf(ctx.querystring), mostOfPage);
    access.authorizeNew('get_webhooks', { project: caller.projectId ?? '' }, caller);
    const viewer = { projectId: caller.projectId, isAdmin: access.isAdmin(caller) };
    const records = await registered.list({ ...page, viewer });
    const shown = records.filter((record) => access.allows('get_webhook', record, caller));
    ctx.body = {
      endpoints: shown.map(webhookDocument),
      next: records.length < page.limit ? null : (records.at(-1)?.id ?? null),
    };
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = webhookDocument(await found(ctx, ctx.call, 'get_webhook'));
  });

  router.patch(one, async (ctx) => {
    const change = askedChangeFrom(await jsonBody(ctx));
    const { id } = await found(ctx, ctx.call, 'modify_webhook');
    await admitted(change.url);
    await guardPosition(change.after);
    ctx.body = webhookDocument(
      await commands.change(ctx.call, id, { type: 'ChangeWebhook', ...change }),
    );
  });

  router.delete(one, async (ctx) => {
    expectNoBody(ctx.req);
    const { id } = await found(ctx, ctx.call, 'delete_webhook');
    await commands.remove(ctx.call, id);
    ctx.status = 204;
  });

  router.post(`${one}/rotate-secret`, async (ctx) => {
    const { scheme, overlapMs } = askedRotationFrom(hasBody(ctx.req) ? await jsonBody(ctx) : {});
    const { id } = await found(ctx, ctx.call, 'modify_webhook');
    const { record, secret } = await commands.rotate(ctx.call, id, scheme, overlapMs);
    ctx.body = { ...webhookDocument(record), secret };
  });

  for (const [part, command] of [
    ['enable', { type: 'EnableWebhook' }],
    ['disable', { type: 'DisableWebhook', reason: 'asked', message: 'Somebody asked for it.' }],
  ] as const)
    router.post(`${one}/${part}`, async (ctx) => {
      expectNoBody(ctx.req);
      const { id } = await found(ctx, ctx.call, 'modify_webhook');
      ctx.body = webhookDocument(await commands.change(ctx.call, id, command));
    });

  router.post(`${one}/test`, async (ctx) => {
    expectNoBody(ctx.req);
    const record = await found(ctx, ctx.call, 'redeliver_webhook');
    ctx.body = attemptDocument(await hand.test(record));
  });

  router.get(`${one}/deliveries`, async (ctx) => {
    expectNoBody(ctx.req);
    const query = askedAttemptsFrom(parametersOf(ctx.querystring), mostOfPage);
    const { id } = await found(ctx, ctx.call, 'get_webhook_deliveries');
    const attempts = await progress.attempts(id, query);
    ctx.body = {
      deliveries: attempts.map(keptAttemptDocument),
      next: attempts.length < query.limit ? null : String(attempts.at(-1)?.number),
    };
  });

  router.post(`${one}/deliveries/:event/redeliver`, async (ctx) => {
    expectNoBody(ctx.req);
    const event = parameter(ctx, 'event');
    const record = await found(ctx, ctx.call, 'redeliver_webhook');
    const fact = /^\d{1,18}$/.test(event) ? BigInt(event) : event.toLowerCase();
    if (typeof fact === 'string' && !isUuid(fact))
      throw new HttpError(400, 'A delivery is named by the id or the position of its event.');
    const attempt = await hand.redeliver(record, fact);
    if (attempt === undefined) throw new HttpError(404, 'There is no such event for this webhook.');
    ctx.body = attemptDocument(attempt);
  });
}
