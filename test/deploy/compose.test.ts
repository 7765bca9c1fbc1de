import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { configFrom } from '../../infra/config/config.ts';
import { requirePackage } from '../support/packages.ts';
import { built, deploy, project } from './files.ts';

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, object>>;
  readonly volumes?: readonly string[];
}

const text = await readFile(join(deploy, 'compose.yaml'), 'utf8');
const compose = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image === 'daguerre');

const given: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: 'p4ss',
  REDIS_PASSWORD: 'r3dis',
  NATS_TOKEN: 't0ken',
  KEYSTONE_AUTH_URL: 'https://keystone.example.org:5000',
  KEYSTONE_PASSWORD: 'k3y',
  PUBLIC_ENDPOINT: 'https://images.example.org',
};

/** As compose does it, the inmost first: `${NAME:?}`, `${NAME:-default}`. */
function interpolated(value: string, variables = given): string {
  const next = value.replace(/\$\{(\w+)(?::\?|:-([^${}]*))?\}/g, (_, name, byDefault) => {
    const found = variables[name] ?? byDefault;
    if (found === undefined) throw new Error(`compose.yaml needs ${name}`);
    return found;
  });
  return next === value ? value : interpolated(next, variables);
}

const settingsOf = ({ environment = {} }: Service, variables = given) =>
  configFrom(
    [],
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, interpolated(value, variables)]),
    ),
  );

describe('the compose file', () => {
  test('runs each part, and the migration before them', () => {
    const names = ours.map(([name]) => name).sort();
    assert.deepEqual(names, ['gateway', 'migrate', 'projector', 'relay', 'worker']);
    for (const [name, { command, depends_on = {} }] of ours) {
      const [main = ''] = command;
      assert.ok(existsSync(main.replace(/^dist/, built)), `${name} runs ${main}`);
      assert.ok(name === 'migrate' ? 'postgres' in depends_on : 'migrate' in depends_on);
    }
  });

  test('sets nothing but settings that there are, to what they can be', () => {
    for (const [, service] of ours) {
      const config = settingsOf(service);
      assert.equal(config['event-log-url'], config['postgres-url']);
      assert.deepEqual(config['nats-url'], ['nats://t0ken@nats:4222']);
    }
    const [, gateway] = ours.find(([name]) => name === 'gateway') ?? [];
    assert.ok(gateway);
    assert.equal(settingsOf(gateway).host, '0.0.0.0');
    const url = 'esdb://eventstoredb:2113?tls=false';
    assert.equal(settingsOf(gateway, { ...given, EVENT_LOG_URL: url })['event-log-url'], url);
    const wrong = { ...gateway, environment: { ...gateway.environment, DAGUERRE_PROT: '1' } };
    assert.throws(() => settingsOf(wrong), /DAGUERRE_PROT/);
  });

  test('says at its beginning what it reads from the environment', () => {
    const heading = text.slice(0, text.indexOf('name:'));
    const read = [...text.slice(heading.length).matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    for (const name of read) assert.ok(heading.includes(name ?? ''), `nothing of ${name}`);
    for (const name of Object.keys(given)) assert.ok(read.includes(name), `${name} is not read`);
  });

  test('waits for services, and mounts volumes and files, that there are', () => {
    for (const [name, { depends_on = {}, volumes = [] }] of services) {
      for (const other of Object.keys(depends_on)) assert.ok(other in compose.services, other);
      for (const [source = ''] of volumes.map((volume) => volume.split(':')))
        assert.ok(
          source.startsWith('./') ? existsSync(join(deploy, source)) : source in compose.volumes,
          `${name} mounts ${source}`,
        );
    }
  });

  test('shares one directory of bytes, and has the queue keep every job', () => {
    for (const [, { volumes = [] }] of ours) assert.deepEqual(volumes, ['bytes:/srv/daguerre']);
    const redis = compose.services.redis?.command.join(' ') ?? '';
    assert.match(redis, /--appendonly yes .*--maxmemory-policy noeviction/);
  });

  test('gives nats-server a configuration that it takes, but for what Debian’s is too old for', async () => {
    requirePackage('nats-server');
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-nats-'));
    const file = join(directory, 'nats.conf');
    const conf = await readFile(join(deploy, 'nats.conf'), 'utf8');
    assert.match(conf, /^ *sync_interval: "10s"$/m);
    await writeFile(file, conf.replace(/^ *sync_interval.*$/m, ''));
    // biome-ignore lint/style/noProcessEnv: a child needs PATH
    const env = { ...process.env, NATS_TOKEN: 'secret' };
    const { stderr } = await promisify(execFile)('nats-server', ['-t', '-c', file], { env });
    assert.match(stderr, /is valid/);
    await rm(directory, { recursive: true });
  });
});

test('the Dockerfile copies what there is', async () => {
  const dockerfile = await readFile(join(deploy, 'Dockerfile'), 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  );
  assert.ok(copied.length >= 7);
  const ignored = await readFile(join(deploy, 'Dockerfile.dockerignore'), 'utf8');
  for (const name of copied) {
    assert.ok(existsSync(join(project, name)), name);
    assert.ok(ignored.includes(`!${name}\n`), `${name} is not in the build's context`);
  }
});
