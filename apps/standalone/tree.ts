import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, type Environment, environmentOf } from '../../infra/config/config.ts';
import { certifyDeath } from '../../infra/leases/heartbeat.ts';
import { certifyHolderDeath } from '../../infra/near/holder.ts';
import { takeOwnership } from '../../infra/postgres/embedded/owner.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { ownServer, type ServerProgram } from '../../infra/servers/own-server.ts';
import { natsProgram, redisProgram } from '../../infra/servers/programs.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { migrateAll } from '../migrations.ts';
import { makeByteDirs, makeDataDir, requireDatabases } from '../places.ts';
import { banner } from './banner.ts';
import { type Child, keepRunning } from './child.ts';
import { keepPostgresRunning } from './database.ts';
import { type KeptServer, keepServerRunning } from './keep-server.ts';
import { runningFile } from './running-file.ts';

/** Starts servers, then our own processes, and keeps both running until a signal; then stops them, last started first. */
export async function runTree(
  config: Config,
  environment: Environment,
  { distributed }: { readonly distributed: boolean },
): Promise<void> {
  const log = logger('standalone', config['log-level']);
  const stop = stopSignal();
  const dataDir = config['data-dir'];
  await makeDataDir(config);
  await makeByteDirs(config);
  await requireDatabases(config, log);
  const disown = await takeOwnership(join(dataDir, 'daguerre.owner'));
  const running = runningFile(dataDir, log);
  const stops: (() => Promise<void>)[] = [disown, async () => running.remove()];

  const pidOf = (name: string) => (pid: number | undefined) => running.setPart(name, pid);
  const kept = ({ url, stop }: KeptServer): string => {
    stops.push(stop);
    return url;
  };
  const keepOwn = async (program: ServerProgram): Promise<string> => {
    const { kind: name } = program;
    const start = await ownServer(program, { dataDir, log });
    return kept(await keepServerRunning({ name, log, onPid: pidOf(name), start }));
  };

  try {
    const postgresUrl =
      config['postgres-url'] ?? kept(await keepPostgresRunning(dataDir, log, pidOf('postgres')));
    const natsUrls = config['nats-url'] ?? (distributed ? [await keepOwn(natsProgram)] : undefined);
    const redisUrl = config['redis-url'] ?? (distributed ? await keepOwn(redisProgram) : undefined);
    running.setUrls({
      postgresUrl,
      natsUrl: natsUrls?.join() ?? null,
      redisUrl: redisUrl ?? null,
    });
    const told: Config = {
      ...config,
      ...{ 'postgres-url': postgresUrl, 'nats-url': natsUrls, 'redis-url': redisUrl },
    };
    const eventLogUrl = config['event-log-url'] ?? postgresUrl;
    await migrateAll({ postgresUrl, eventLogUrl }, log);

    const beats = postgresPool(postgresUrl, {
      log,
      max: 1,
      applicationName: 'daguerre up',
      queryTimeoutMs: 5_000,
    });
    stops.push(() => beats.end());

    const start = (part: string, number: number, settings: () => Config): Child => {
      const name = number === 1 ? part : `${part}-${number}`;
      const child = keepRunning({
        name,
        file: fileURLToPath(new URL(`../${part}/main.js`, import.meta.url)),
        log,
        environment: () => ({ ...inherited(environment), ...environmentOf(settings()) }),
        onPid: pidOf(name),
        onDeath: (owner) => {
          Promise.all([certifyDeath(beats, owner), certifyHolderDeath(beats, owner)]).catch(
            (error) => log.warn({ err: error, owner }, 'its lease has to run out'),
          );
        },
      });
      stops.push(() => child.stop());
      return child;
    };
    const others = [
      ...times(config.projectors, (number) => start('projector', number, () => told)),
      ...times(config.workers, (number) => start('worker', number, () => told)),
      ...(natsUrls === undefined ? [] : [start('relay', 1, () => told)]),
    ];
    const gateways = times(config.gateways, async (number) => {
      let port = config.port === 0 ? 0 : config.port + number - 1;
      const said = await start('gateway', number, () => ({ ...told, port })).firstReady;
      // One that dies before the others are ready comes back on the port that it has told.
      port = Number(said.port);
      return String(said.url);
    });
    const ready = Promise.all(others.map(({ firstReady }) => firstReady));
    const began = await Promise.race([Promise.all([Promise.all(gateways), ready]), stop.asked]);
    if (began === undefined) return;
    const [urls] = began;
    running.setUrls({ url: urls[0] ?? null, urls });
    process.stdout.write(banner(config, told, urls));
    await stop.asked;
    log.info('stopping');
  } catch (error) {
    // A Ctrl-C on the terminal ends what the start has just asked of other programs, too.
    if (!stop.isAsked()) throw error;
    log.info({ err: error }, 'stopping while starting');
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

const times = <Value>(count: number, make: (number: number) => Value): Value[] =>
  Array.from({ length: count }, (_, index) => make(index + 1));

/** Resolves at the first signal; at the second, everything of this tree is left to the next start. */
function stopSignal(): { readonly asked: Promise<undefined>; isAsked(): boolean } {
  let isAsked = false;
  const asked = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (isAsked && signal === 'SIGINT') process.exit(130);
        isAsked = true;
        resolve(undefined);
      });
  });
  return { asked, isAsked: () => isAsked };
}

/** A child reads the settings that its parent resolved, and none besides. */
const inherited = (environment: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        (!entry[0].startsWith('DAGUERRE_') || entry[0].startsWith('DAGUERRE_TEST_')),
    ),
  );
