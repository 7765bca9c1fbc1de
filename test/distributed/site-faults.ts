import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type PipelineStep, pipelineSteps } from '../../domain/pipeline-steps.ts';
import type { Chance } from '../faults/chance.ts';
import { busy, type Fault } from '../faults/faults.ts';
import type { NatsServer } from '../support/nats.ts';
import type { RedisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';
import type { Member, Part } from './member.ts';
import { leaseMs, type Site, usualCounts } from './site.ts';

type SiteFault = Fault<Site>;

const longestMomentMs = 250;
/** Longer than anybody waits for an answer, and than a lease. */
const pauseMs = 6_000;
/** Others have taken over by then. */
const beyondLeaseMs = 2.5 * leaseMs;

/** At a random moment while clients upload. */
const during = (
  name: string,
  strike: (site: Site, chance: Chance) => Promise<unknown>,
): SiteFault => ({
  name,
  async strike(site, load, chance) {
    await busy(load);
    await delay(chance.int(longestMomentMs));
    const uploads = load.uploading();
    await strike(site, chance);
    await site.answers();
    return { overAt: Date.now(), uploads };
  },
});

const killed = async (member: Member): Promise<unknown> => member.ready(await member.kill());
const parts = Object.keys(usualCounts) as readonly Part[];

const killsOf = (part: Part): readonly SiteFault[] =>
  Array.from({ length: usualCounts[part] }, (_, index) =>
    during(`kill ${part}-${index + 1}`, async (site) => {
      const member = site.of(part)[index];
      if (member !== undefined) await killed(member);
    }),
  );

const ofParts = parts.flatMap(killsOf);

const killsOfAll = parts.map((part) =>
  during(`kill every ${part}`, (site) => Promise.all(site.of(part).map(killed))),
);

/** It finds itself superseded when it wakes, and what it did not know of has gone on without it. */
const pauses = parts.map((part) =>
  during(`pause a ${part} beyond its lease`, async (site, chance) => {
    const member = chance.pick(site.of(part));
    member.pause();
    await delay(beyondLeaseMs);
    member.resume();
  }),
);

const diesAt = (step: PipelineStep): SiteFault => ({
  name: `at ${step}`,
  async strike(site, load) {
    await busy(load);
    const before = site.members.map((member) => [member, member.pid()] as const);
    await site.dieAt(step);
    await until(`a process to die at ${step}`, site.died, { timeoutMs: 60_000 });
    const uploads = load.uploading();
    await until('it to be gone', () => before.some(([member, pid]) => member.pid() !== pid));
    await Promise.all(site.members.map((member) => member.ready()));
    return { overAt: Date.now(), uploads };
  },
});

const ofPostgres = [
  during('kill Postgres', (site) => site.killPostgres()),
  during('stop Postgres for a while', (site) => site.stopPostgres(pauseMs)),
  during('pause Postgres', (site) => site.pausePostgres(pauseMs)),
];

const others = [
  during('restart one after the other', async ({ members }) => {
    for (const member of members) await member.restart();
  }),
  during('kill everything', async ({ members, nats, redis, ...site }) => {
    const dead = await Promise.all([
      ...members.map((member) => member.kill().then((pid) => () => member.ready(pid))),
      nats.kill().then(() => () => nats.start()),
      redis.kill().then(() => () => redis.start()),
      site.killPostgres().then(() => () => Promise.resolve()),
    ]);
    await Promise.all(dead.map((again) => again()));
  }),
];

const asked = async ({ postgresUrl }: Site, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
};

/** Postgres keeps them, and nothing in them is needed. */
const ofWhatIsDerived = [
  during('rebuild every read model', (site) => site.operate('rebuild')),
  during('delete heartbeats and leases', (site) =>
    asked(site, 'truncate heartbeats; truncate leases'),
  ),
  during('drop every read model', (site) =>
    asked(
      site,
      `do $$ declare name text; begin
         for name in select nspname from pg_namespace where nspname ~ '^(images|events|tasks|metadefs|webhooks)' loop
           execute format('drop schema %I cascade', name);
         end loop;
       end $$;
       truncate read_model.generation`,
    ),
  ),
  during('drop what is kept about webhooks', (site) =>
    asked(site, 'drop table webhook_progress, webhook_deliveries'),
  ),
];

type Server = NatsServer | RedisServer;

const again = async (server: Server, { forgetting }: { forgetting: boolean }): Promise<void> => {
  await server.kill();
  if (forgetting) await server.forget();
  await server.start();
};

const aside = async (server: Server): Promise<void> => {
  await server.end();
  await delay(pauseMs);
  await server.start();
};

const asleep = async (server: Server): Promise<void> => {
  server.pause();
  await delay(pauseMs);
  server.resume();
};

const ofServers = [
  during('kill nats-server', ({ nats }) => again(nats, { forgetting: false })),
  during('delete the JetStream directory', ({ nats }) => again(nats, { forgetting: true })),
  during('pause nats-server', ({ nats }) => asleep(nats)),
  during('stop nats-server for a while', ({ nats }) => aside(nats)),
  during('kill redis-server', ({ redis }) => again(redis, { forgetting: false })),
  during('kill redis-server and delete its files', ({ redis }) =>
    again(redis, { forgetting: true }),
  ),
  during('flush Redis', ({ redis }) => redis.flush()),
  during('pause redis-server', ({ redis }) => asleep(redis)),
  during('stop redis-server for a while', ({ redis }) => aside(redis)),
  during('lose all of both', ({ nats, redis }) =>
    Promise.all([again(nats, { forgetting: true }), again(redis, { forgetting: true })]),
  ),
];

const everyRound = [
  ...ofServers,
  ...ofPostgres,
  ...ofWhatIsDerived,
  ...ofParts,
  ...killsOfAll,
  ...pauses,
  ...others,
  ...pipelineSteps.map(diesAt),
];

/** What one of them alone would have held up, the other lets go. */
const together = (one: SiteFault, other: SiteFault): SiteFault => ({
  name: `${one.name}, and ${other.name}`,
  async strike(site, load, chance) {
    const both = await Promise.all([one, other].map((each) => each.strike(site, load, chance)));
    const overAt = Math.max(...both.map((struck) => struck.overAt));
    return { overAt, uploads: both[0]?.uploads ?? 0 };
  },
});

const pairsPerRound = 12;

function pairs(chance: Chance): readonly SiteFault[] {
  return Array.from({ length: pairsPerRound }, () =>
    together(
      chance.pick([...ofServers, ...ofPostgres, ...ofWhatIsDerived]),
      chance.pick([...ofParts, ...killsOfAll, ...pauses]),
    ),
  );
}

/**
 * As many faults as asked for: each round has every one whose name fits, and some at the same time, in an order of its
 * own.
 */
export function* siteFaults(chance: Chance, only: RegExp): Generator<SiteFault> {
  for (;;) {
    const round = [...everyRound, ...pairs(chance)].filter(({ name }) => only.test(name));
    if (round.length === 0) throw new Error(`no fault is called ${only}`);
    yield* chance.shuffled(round);
  }
}
