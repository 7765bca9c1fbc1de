import { randomUUID } from 'node:crypto';
import { access } from '../../domain/image/access.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { outsideTypes } from '../../domain/outside/exposure.ts';
import { ours, type WebhookCommand } from '../../domain/webhook/commands.ts';
import { signatureSchemes } from '../../domain/webhook/events.ts';
import { type Config, configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Poster } from '../../infra/webhooks/post.ts';
import { posterOf } from '../../infra/webhooks/poster-of.ts';
import {
  isDelivered,
  type ProgressStore,
  postgresProgress,
} from '../../infra/webhooks/progress-store.ts';
import { newSecret } from '../../infra/webhooks/signature.ts';
import { postgresVault, type Vault } from '../../infra/webhooks/vault.ts';
import { eventQueries } from '../../projections/events/queries.ts';
import { webhookQueries } from '../../projections/webhooks/queries.ts';
import type { WebhookRecord, Webhooks } from '../../projections/webhooks/webhooks.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { type ByHand, byHand } from '../webhooks/by-hand.ts';
import { webhookDocument } from '../webhooks/documents.ts';
import { actingPart, ourWebhooks } from '../webhooks/handle.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { type WebhookArguments, webhookArguments } from './webhook-arguments.ts';

const usage = `Usage: daguerre webhooks add URL (--project ID | --all-projects) [OPTIONS] [FLAGS]
       daguerre webhooks list [--project ID] [FLAGS]
       daguerre webhooks show | enable | disable | remove ID [FLAGS]
       daguerre webhooks deliveries ID [--failed] [--event ID] [FLAGS]
       daguerre webhooks redeliver ID EVENT [FLAGS]

Endpoints that are told what happens (Standard Webhooks). The secret is shown once, by add.
Of redeliver, EVENT is an event's id, or its position.

  --type TYPE       only events of this type; may be said again
  --image ID        only events of this image; may be said again
  --signature NAME  v1 (HMAC-SHA256) or v1a (Ed25519) [v1]
  --after POSITION  what lies above it; 0 is everything [from now on]
  --description TEXT

${settingsHelp()}
`;

interface Tools {
  readonly registered: Webhooks;
  readonly progress: ProgressStore;
  readonly vault: Vault;
  readonly poster: Poster;
  readonly hand: ByHand;
  head(): Promise<bigint>;
  perform(webhookId: string, command: WebhookCommand): Promise<void>;
}

type Verb = (tools: Tools, given: WebhookArguments) => Promise<string>;

export const webhooksCommand: Command = {
  name: 'webhooks',
  summary: 'endpoints that are told what happens, and what became of it',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const given = webhookArguments(args);
    const name = given.words[0] ?? '';
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined)
      throw new UsageError(`say ${Object.keys(verbs).join(', ')}; --help tells more`);
    const config = configFrom(given.settings, environment);
    const said = await withDatabases(config, (databases) =>
      withTools(config, databases, (tools) => verb(tools, given)),
    );
    process.stdout.write(`${said}\n`);
    return 0;
  },
};

const word = ({ words }: WebhookArguments, index: number, what: string): string => {
  const found = words[index];
  if (found === undefined) throw new UsageError(`say ${what}`);
  return found;
};

const webhookNamed = async (
  { registered }: Tools,
  given: WebhookArguments,
): Promise<WebhookRecord> => {
  const id = word(given, 1, 'which webhook');
  const record = await registered.show(id);
  if (record === undefined) throw new Error(`there is no webhook ${id}`);
  return record;
};

const add: Verb = async ({ vault, poster, perform, head }, given) => {
  const url = word(given, 1, 'the URL');
  const project = given.last('project');
  if ((project === undefined) === !given.has('all-projects'))
    throw new UsageError('say either --project or --all-projects');
  const types = given.all('type');
  const known: readonly string[] = outsideTypes;
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined)
    throw new UsageError(`there are no events of type ${unknown}; there are ${known.join(', ')}`);
  const scheme = signatureSchemes.find((one) => one === (given.last('signature') ?? 'v1'));
  if (scheme === undefined) throw new UsageError('--signature is v1 or v1a');
  const after = given.last('after');
  if (after !== undefined && !/^\d{1,18}$/.test(after))
    throw new UsageError(`--after must be a position, not ${after}`);
  await poster.admit(url);
  const { reference, secret, shown } = newSecret(scheme);
  await vault.keep(reference.secretId, secret);
  const id = randomUUID();
  const images = given.all('image').map((image) => image.toLowerCase());
  await perform(id, {
    type: 'RegisterWebhook',
    by: ours,
    url,
    description: given.last('description') ?? '',
    project: project ?? null,
    filter: {
      types: types.length === 0 ? null : types,
      images: images.length === 0 ? null : images,
    },
    secret: reference,
    after: after === undefined ? await head() : BigInt(after),
  });
  return `id      ${id}\nsecret  ${shown}`;
};

const list: Verb = async ({ registered }, given) => {
  const project = given.last('project');
  const found = (await registered.all()).filter(
    (one) => project === undefined || one.project === project,
  );
  if (found.length === 0) return 'there are no webhooks';
  return found
    .map(
      ({ id, status, project: owner, url, disabled }) =>
        `${id}  ${owner === null ? 'all projects' : `project ${owner}`}  ${url}  ${status}${disabled === null ? '' : ` (${disabled.reason})`}`,
    )
    .join('\n');
};

const show: Verb = async (tools, given) =>
  JSON.stringify(webhookDocument(await webhookNamed(tools, given)), undefined, 2);

/** Decided on what the log has, so that it need not have been built into the read model. */
const changing =
  (command: WebhookCommand, said: string): Verb =>
  async ({ perform }, given) => {
    await perform(word(given, 1, 'which webhook'), command);
    return said;
  };

const remove: Verb = async (tools, given) => {
  const { id, secrets } = await webhookNamed(tools, given);
  await tools.perform(id, { type: 'RemoveWebhook', by: ours });
  await tools.vault.erase(secrets.map(({ secretId }) => secretId));
  return 'removed';
};

const deliveries: Verb = async ({ progress }, given) => {
  const attempts = await progress.attempts(word(given, 1, 'which webhook'), {
    eventId: given.last('event'),
    delivered: given.has('failed') ? false : undefined,
    limit: 100,
  });
  if (attempts.length === 0) return 'there are none';
  return attempts
    .map(
      (one) =>
        `${one.at.toISOString()}  event ${one.eventId}  ${one.type} at ${one.position ?? 'no position'}  attempt ${one.attempt}${one.manual ? ' by hand' : ''}: ${outcomeOf(one)}`,
    )
    .join('\n');
};

const outcomeOf = (
  one: Parameters<typeof isDelivered>[0] & {
    readonly error: string | null;
    readonly tookMs: number;
  },
): string =>
  `${isDelivered(one) ? 'delivered' : 'failed'}, ${one.error ?? `status ${one.status}`}, ${one.tookMs} ms`;

const redeliver: Verb = async (tools, given) => {
  const record = await webhookNamed(tools, given);
  const event = word(given, 2, 'which event');
  const fact = /^\d{1,18}$/.test(event) ? BigInt(event) : event.toLowerCase();
  const attempt = await tools.hand.redeliver(record, fact);
  if (attempt === undefined) throw new Error(`there is no event ${event} for this webhook`);
  if (!isDelivered(attempt)) throw new Error(outcomeOf(attempt));
  return outcomeOf(attempt);
};

const verbs: Readonly<Record<string, Verb>> = {
  add,
  list,
  show,
  enable: changing({ type: 'EnableWebhook', by: ours }, 'enabled'),
  disable: changing(
    { type: 'DisableWebhook', by: ours, reason: 'asked', message: 'The operator asked for it.' },
    'disabled',
  ),
  remove,
  deliveries,
  redeliver,
};

const deadlineMs = 15_000;

async function withTools<Value>(
  config: Config,
  databases: Databases,
  use: (tools: Tools) => Promise<Value>,
): Promise<Value> {
  const { eventLogUrl, postgresUrl } = databases;
  const { policy, protections } = operatorsRules(config);
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(postgresUrl, { log, max: 2 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  const events = await openEventLog(eventLogUrl, { log, upcast });
  const poster = posterOf(config);
  const webhooks = ourWebhooks(events);
  const vault = postgresVault(besideLog);
  const progress = postgresProgress(pool);
  const ports = {
    poster,
    vault,
    progress,
    events: eventQueries(pool),
    region: config.region,
    imageAccess: access(policy, protections),
  };
  try {
    return await use({
      registered: webhookQueries(pool),
      progress,
      vault,
      poster,
      hand: byHand(ports),
      head: () => events.head(),
      async perform(webhookId, command) {
        const deadline = AbortSignal.timeout(deadlineMs);
        await webhooks.handle(webhookId, command, actingPart('cli'), deadline);
      },
    });
  } finally {
    poster.close();
    await events.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}
