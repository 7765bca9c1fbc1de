import { openEventLog } from '../../infra/event-log/open.ts';
import { campaign, type Report, summary } from '../faults/campaign.ts';
import type { Chance } from '../faults/chance.ts';
import { chanceOf } from '../faults/chance.ts';
import type { Fault } from '../faults/faults.ts';
import { type Problem, problemsOf } from '../faults/tally.ts';
import { messagesIn } from '../relay/harness.ts';
import { freePort } from '../support/own-server.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { type Site, startSite } from './site.ts';
import { siteFaults } from './site-faults.ts';
import { jetStreamSubscriber } from './subscribers/jetstream.ts';
import { allDue, type Due, differencesBetween, hasAll, wrongWith } from './subscribers/judge.ts';
import { pageSubscriber } from './subscribers/pages.ts';
import { sseSubscriber } from './subscribers/sse.ts';
import type { Subscriber } from './subscribers/subscriber.ts';
import {
  moods,
  type WebhookSubscriber,
  webhookArgs,
  webhookSubscriber,
} from './subscribers/webhook.ts';

/** A site with integrators of each of the four kinds, who were told of it from its first moment on. */
interface WatchedSite extends Site {
  readonly subscribers: readonly Subscriber[];
  readonly webhook: WebhookSubscriber;
}

export interface SiteCampaign {
  readonly runs: number;
  readonly seed: number;
  readonly clients: number;
  /** Names of what is done to it; default: everything. */
  readonly only?: RegExp;
  say(line: string): void;
}

/** Much longer than anything is silent that is still being told: a webhook that failed is tried again a second later. */
const silentForMs = 60_000;
/** One at a time, as a consumer has them whose stream was made anew, takes long on a busy machine. */
const toldWithinMs = 600_000;

/** One site, many losses; after each, what clients were answered and what integrators were told is checked. */
export async function siteCampaign({
  runs,
  seed,
  clients,
  only = /./,
  say,
}: SiteCampaign): Promise<Report> {
  let told = '';
  const report = await campaign<WatchedSite>({
    start: () => startWatchedSite(chanceOf(seed).fork('subscribers')),
    runs,
    seed,
    clients,
    say,
    *faultsOf(chance) {
      for (const fault of siteFaults(chance, only)) yield withMoods(fault);
    },
    async alsoWrong(site) {
      const problems = await wrongOutside(site);
      told = site.subscribers.map(toldTo).join('\n');
      return problems;
    },
  });
  say(`${summary(report)}\n${told}`);
  return report;
}

async function startWatchedSite(chance: Chance): Promise<WatchedSite> {
  const port = await freePort();
  const site = await startSite({ args: webhookArgs(port) });
  const { urls, nats, api } = site;
  const webhook = await webhookSubscriber(api, port);
  const subscribers = [
    webhook,
    await jetStreamSubscriber(nats),
    sseSubscriber(urls, chance.fork('SSE')),
    pageSubscriber(urls, chance.fork('pages')),
  ];
  return {
    ...site,
    subscribers,
    webhook,
    async stop() {
      await Promise.all(subscribers.map((one) => one.stop()));
      await site.stop();
    },
  };
}

/** Receivers have troubles of their own, at the same time. */
const withMoods = (fault: Fault<Site>): Fault<WatchedSite> => ({
  name: fault.name,
  async strike(site, load, chance) {
    const mood = chance.pick(moods);
    await site.webhook.feel(mood);
    const struck = await fault.strike(site, load, chance);
    await site.webhook.feel('good');
    return struck;
  },
});

/** What integrators were told, against the log itself. */
async function wrongOutside(site: WatchedSite): Promise<readonly Problem[]> {
  const { subscribers, webhook, postgresUrl } = site;
  const log = await openEventLog(postgresUrl, { log: silent, upcast: (event) => event });
  let due: readonly Due[] = [];
  let told = 0;
  let toldAt = Date.now();
  try {
    await until(
      'subscribers to be told',
      async () => {
        const head = await log.head();
        due = await allDue(log);
        const now = subscribers.reduce((sum, { heard }) => sum + heard.length, 0);
        if (now > told) toldAt = Date.now();
        told = now;
        if (Date.now() - toldAt > silentForMs) return true; // what is missing is told below
        return subscribers.every((one) => hasAll(one, due)) && (await log.head()) === head;
      },
      { timeoutMs: toldWithinMs },
    );
    const [first] = subscribers;
    const wrong = [
      ...subscribers.flatMap((one) => wrongWith(one, due)),
      ...subscribers.flatMap((one) => (first ? differencesBetween(first, one) : [])),
      ...webhook.strange.map((what) => `webhook: ${what}`),
    ];
    return [...wrong, ...(await wrongInStream(site, due))].map(problemsOf('told'));
  } finally {
    await log.close();
  }
}

/** JetStream's own copy: no gap, no repeat, no disorder. */
async function wrongInStream({ nats }: Site, due: readonly Due[]): Promise<readonly string[]> {
  const connection = await nats.connect();
  try {
    const stored = (await messagesIn(connection, 'DAGUERRE')).map(({ position }) => position);
    const wanted = due.map(({ position }) => position);
    return stored.join() === wanted.join()
      ? []
      : [`the JetStream stream has ${stored.length} messages where ${wanted.length} are due`];
  } finally {
    await connection.close();
  }
}

function toldTo({ kind, heard, interruptions }: Subscriber): string {
  const events = new Set(heard.map(({ id }) => id)).size;
  return `${kind}: ${events} events, ${heard.length - events} of them again; began again ${interruptions()} times`;
}
