import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { configFrom, environmentOf } from '../../infra/config/config.ts';
import { startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { apiAt } from '../faults/api.ts';
import type { System } from '../faults/system.ts';
import { type NatsServer, startNatsServer } from '../support/nats.ts';
import { freePort } from '../support/own-server.ts';
import { killNow, processesOf } from '../support/processes.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { silent } from '../support/silent-log.ts';
import { requireAllDecided } from '../support/told-outside.ts';
import { until } from '../support/until.ts';
import { type Member, type Part, startMember } from './member.ts';

/**
 * What a cloud runs, on one machine: several of each process, each with a data directory of its own, over one Postgres, one
 * NATS and one Redis, with staging and store on a file system that they share.
 */
export interface Site extends System {
  readonly members: readonly Member[];
  of(part: Part): readonly Member[];
  /** Of the gateways, whose ports stay the same. */
  readonly urls: readonly string[];
  readonly nats: NatsServer;
  readonly redis: RedisServer;
  /** `kill -9`; resolves when it is there again. */
  killPostgres(): Promise<void>;
  /** Stops it in good order for so long. */
  stopPostgres(ms: number): Promise<void>;
  /** It keeps its connections and answers nothing for so long. */
  pausePostgres(ms: number): Promise<void>;
  /** `npx daguerre ...`; rejects when that fails. */
  operate(...command: readonly string[]): Promise<unknown>;
  /** The first process that passes this step dies there, or with `stop` sleeps. */
  dieAt(step: string, how?: 'stop'): Promise<void>;
  /** Whether one passed it. */
  died(): boolean;
  spare(): Promise<void>;
  /** Resolves when each gateway answers from its read model. */
  answers(): Promise<void>;
}

export const leaseMs = 2_000;
export type Counts = Readonly<Record<Part, number>>;
export const usualCounts: Counts = { gateway: 3, worker: 3, projector: 2, relay: 2 };

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

export async function startSite(
  given: { readonly counts?: Partial<Counts>; readonly args?: readonly string[] } = {},
): Promise<Site> {
  const counts = { ...usualCounts, ...given.counts };
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-site-'));
  const at = (name: string): string => join(directory, name);
  const pieces: string[] = [];
  const stops: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  ];
  const stopAll = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const startPostgres = () => startEmbeddedPostgres({ dataDir: at('database'), log: silent });
    let postgres = await startPostgres();
    stops.push(() => postgres.stop());
    const postgresUrl = postgres.url;
    const nats = await startNatsServer();
    stops.push(() => nats.remove());
    const redis = await startRedisServer();
    stops.push(() => redis.remove());

    const stagingDir = at('staging');
    const storeDir = at('store');
    const crashFile = at('crash');
    const shared = [
      ...['--postgres-url', postgresUrl, '--nats-url', nats.url, '--redis-url', redis.url],
      ...['--staging-dir', stagingDir, '--store-dir', storeDir, '--lease-ms', String(leaseMs)],
      ...['--sweep-interval-ms', '300', '--log-level', 'warn', ...(given.args ?? [])],
    ];
    const operate = (...command: readonly string[]): Promise<unknown> =>
      promisify(execFile)(process.execPath, [cli, ...command, ...shared, '--data-dir', at('m')]);
    await operate('migrate');

    const urls: string[] = [];
    const members: Member[] = [];
    for (const part of Object.keys(counts) as Part[])
      for (let number = 1; number <= counts[part]; number += 1) {
        const name = `${part}-${number}`;
        const port = part === 'gateway' ? await freePort() : 0;
        if (part === 'gateway') urls.push(`http://127.0.0.1:${port}`);
        await mkdir(at(name));
        const own = ['--data-dir', at(name), '--port', String(port)];
        const environment = {
          ...environmentOf(configFrom([...shared, ...own], {})),
          DAGUERRE_TEST_CRASH_FILE: crashFile,
          TMPDIR: directory,
        };
        const write = (text: string): void => void pieces.push(text);
        members.push(startMember({ name, part }, { environment, write }));
      }
    stops.push(() => Promise.all(members.map((member) => member.stop())));
    await Promise.all(members.map((member) => member.ready()));

    const [first = '', ...others] = urls;
    const api = apiAt(first, others);
    stops.push(async () => api.close());
    const site: Site = {
      api,
      urls,
      members,
      of: (part) => members.filter((member) => member.part === part),
      nats,
      redis,
      postgresUrl,
      stagingDir,
      storeDir,
      log: () => pieces.join(''),
      async killPostgres() {
        killNow(postgres.pid);
        await postgres.exited;
        postgres = await startPostgres();
      },
      async stopPostgres(ms) {
        await postgres.stop();
        await delay(ms);
        postgres = await startPostgres();
      },
      async pausePostgres(ms) {
        const signalAll = (signal: NodeJS.Signals): void => {
          for (const { pid } of processesOf(at('database'))) signalIfThere(pid, signal);
        };
        signalAll('SIGSTOP');
        await delay(ms);
        signalAll('SIGCONT');
      },
      operate,
      dieAt: (step, how) => writeFile(crashFile, how === undefined ? step : `${how} ${step}`),
      died: () => !existsSync(crashFile),
      spare: () => rm(crashFile, { force: true }),
      async answers() {
        for (const _ of urls)
          await until('an answer', async () => {
            const answer = await api.json('GET', '/v2/images?limit=1');
            return answer.kind === 'answered' && answer.status === 200;
          });
      },
      async stop() {
        try {
          await requireAllDecided(postgresUrl);
        } finally {
          await stopAll();
        }
      },
    };
    await site.answers();
    return site;
  } catch (error) {
    await stopAll();
    throw new Error(`the site does not start; its log:\n${pieces.join('')}`, { cause: error });
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
