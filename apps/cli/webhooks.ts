import { randomUUID } from 'node:crypto';
import { outsideTypes } from '../../domain/outside/exposure.ts';
import { ours, type WebhookCommand } from '../../domain/webhook/commands.ts';
import { signatureSchemes } from '../../domain/webhook/events.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { type Attempt, isDelivered } from '../../infra/webhooks/progress-store.ts';
import { newSecret } from '../../infra/webhooks/signature.ts';
import type { WebhookRecord } from '../../projections/webhooks/webhooks.ts';
import { webhookDocument } from '../webhooks/documents.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { type WebhookArguments, webhookArguments } from './webhook-arguments.ts';
import { type Tools, withTools } from './webhook-tools.ts';

const usage = `Usage: daguerre webhooks add URL (--project ID | --all-projects) [OPTIONS] [FLAGS]
       daguerre webhooks list [--project ID] [FLAGS]
       daguerre webhooks show | enable | disable | test | remove ID [FLAGS]
       daguerre webhooks deliveries ID [--failed] [--event ID] [FLAGS]
       daguerre webhooks redeliver ID EVENT [FLAGS]

Endpoints that are told what happens (Standard Webhooks). The secret is shown once, by add.
Of test, one document about nothing is sent. Of redeliver, EVENT is an event's id, or its position.

  --type TYPE       only events of this type; may be said again
  --image ID        only events of this image; may be said again
  --signature NAME  v1 (HMAC-SHA256) or v1a (Ed25519) [v1]
  --after POSITION  what lies above it; 0 is everything [from now on]
  --description TEXT

${settingsHelp()}
`;

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
    const tooMany = given.words[verb.words];
    if (tooMany !== undefined) throw new UsageError(`${name} takes no ${tooMany}`);
    const config = configFrom(given.settings, environment);
    const said = await withDatabases(config, (databases) =>
      withTools(config, databases, (tools) => verb.run(tools, given)),
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

const webhookNamed = async ({ shown }: Tools, given: WebhookArguments): Promise<WebhookRecord> => {
  const id = word(given, 1, 'which webhook');
  const record = await shown(id);
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

const outcomeOf = (one: Attempt): string =>
  `${isDelivered(one) ? 'delivered' : 'failed'}, ${one.error ?? `status ${one.status}`}, ${one.tookMs} ms`;

const redeliver: Verb = async (tools, given) => {
  const record = await webhookNamed(tools, given);
  const event = word(given, 2, 'which event');
  const fact = /^\d{1,18}$/.test(event) ? BigInt(event) : event.toLowerCase();
  const attempt = await tools.hand.redeliver(record, fact);
  if (attempt === undefined) throw new Error(`there is no event ${event} for this webhook`);
  return saidOf(attempt);
};

const test: Verb = async (tools, given) =>
  saidOf(await tools.hand.test(await webhookNamed(tools, given)));

function saidOf(attempt: Attempt): string {
  if (!isDelivered(attempt)) throw new Error(outcomeOf(attempt));
  return outcomeOf(attempt);
}

/** With how many words each is said, itself among them. */
const verbs: Readonly<Record<string, { readonly words: number; readonly run: Verb }>> = {
  add: { words: 2, run: add },
  list: { words: 1, run: list },
  show: { words: 2, run: show },
  enable: { words: 2, run: changing({ type: 'EnableWebhook', by: ours }, 'enabled') },
  disable: {
    words: 2,
    run: changing(
      { type: 'DisableWebhook', by: ours, reason: 'asked', message: 'The operator asked for it.' },
      'disabled',
    ),
  },
  test: { words: 2, run: test },
  remove: { words: 2, run: remove },
  deliveries: { words: 2, run: deliveries },
  redeliver: { words: 3, run: redeliver },
};
