import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { publishNewest } from '../../apps/audit/publish.ts';
import { directoryTarget } from '../../infra/audit/targets/directory.ts';
import { s3Target } from '../../infra/audit/targets/s3.ts';
import type { CheckpointTarget } from '../../infra/audit/targets/target.ts';
import { checkpointTargets } from '../../infra/audit/targets/targets-of.ts';
import { webhookTarget } from '../../infra/audit/targets/webhook.ts';
import { ConfigError, configFrom } from '../../infra/config/config.ts';
import { posterOf } from '../../infra/webhooks/poster-of.ts';
import { silent } from '../support/silent-log.ts';
import { signatureOf, startS3Double } from './s3-double.ts';
import { auditSite, type Site } from './site.ts';

const account = { accessKeyId: 'AKIDAGUERRE', secretAccessKey: 'k/ey+of=it', region: 'eu-north-1' };

const publish = (site: Site, ...targets: readonly CheckpointTarget[]): Promise<void> =>
  publishNewest({ memory: site.memory, targets, logger: silent });

const settings = (port: number) =>
  configFrom(
    [
      '--webhook-allow-http',
      '--webhook-allowed-ports',
      String(port),
      '--webhook-allowed-cidrs',
      '127.0.0.1/32',
    ],
    {},
  );

async function receiver(t: TestContext) {
  const posts: { readonly type: string | undefined; readonly body: string }[] = [];
  let status = 204;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    posts.push({ type: request.headers['content-type'], body });
    response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return {
    posts,
    port,
    url: `http://127.0.0.1:${port}/secret-path`,
    answer(other: number) {
      status = other;
    },
  };
}

describe('Checkpoints are sent', () => {
  test('to a directory: the newest, and each by its size', async (t) => {
    const site = await auditSite(t);
    const directory = join(site.directory, 'kept', 'here');
    const target = directoryTarget(directory);
    await site.append(3);
    const first = await site.signed(3);
    await publish(site, target);
    await site.append(3);
    const second = await site.signed(6);
    await publish(site, target);
    assert.equal(await readFile(join(directory, 'checkpoint'), 'utf8'), second.note);
    assert.deepEqual(await readdir(join(directory, 'checkpoints')), [
      '0000000000000003',
      '0000000000000006',
    ]);
    assert.equal(
      await readFile(join(directory, 'checkpoints', '0000000000000003'), 'utf8'),
      first.note,
    );
  });

  test('to a bucket, signed as its server demands', async (t) => {
    const site = await auditSite(t);
    const double = await startS3Double(t, account);
    const target = s3Target({ url: 's3://audit/of this/cloud', endpoint: double.url, ...account });
    await site.append(3);
    const { note } = await site.signed(3);
    await publish(site, target);
    assert.deepEqual(double.answers, ['200 OK', '200 OK']);
    assert.deepEqual(
      [...double.objects],
      [
        ['/audit/of%20this/cloud/checkpoints/0000000000000003', note],
        ['/audit/of%20this/cloud/checkpoint', note],
      ],
    );
    await publish(site, target);
    assert.equal(double.answers.length, 2, 'not again what is there');
  });

  test('to a bucket by nobody who has another key', async (t) => {
    const site = await auditSite(t);
    const double = await startS3Double(t, account);
    await site.append(3);
    await site.signed(3);
    const wrong = { ...account, secretAccessKey: 'another' };
    await publish(site, s3Target({ url: 's3://audit', endpoint: double.url, ...wrong }));
    assert.deepEqual(double.answers, ['403 SignatureDoesNotMatch']);
    assert.equal(double.objects.size, 0);
    const [delivery] = await site.memory.deliveries();
    assert.match(String(delivery?.error), /status 403, SignatureDoesNotMatch/);
    assert.equal(delivery?.size, 0);
  });

  test('the double of the bucket knows the signature of the published example', () => {
    const example = {
      method: 'GET',
      path: '/test.txt',
      headers: {
        host: 'examplebucket.s3.amazonaws.com',
        range: 'bytes=0-9',
        'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        'x-amz-date': '20130524T000000Z',
      },
      signedHeaders: ['host', 'range', 'x-amz-content-sha256', 'x-amz-date'],
    };
    const owner = {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      region: 'us-east-1',
    };
    assert.equal(
      signatureOf(example, owner),
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  test('to a webhook: the note and nothing else, and its path is told to nobody', async (t) => {
    const site = await auditSite(t);
    const { posts, port, url } = await receiver(t);
    const target = webhookTarget(url, posterOf(settings(port)));
    t.after(target.close);
    await site.append(3);
    const { note } = await site.signed(3);
    await publish(site, target);
    assert.deepEqual(posts, [{ type: 'text/plain; charset=utf-8', body: note }]);
    const [delivery] = await site.memory.deliveries();
    assert.deepEqual([delivery?.target, delivery?.size], [`http://127.0.0.1:${port}`, 3]);
  });

  test('to each place by itself: one that is away gets the next one, and keeps nobody waiting', async (t) => {
    const site = await auditSite(t);
    const { posts, port, url, answer } = await receiver(t);
    const webhook = webhookTarget(url, posterOf(settings(port)));
    t.after(webhook.close);
    const blocked = join(site.directory, 'blocked');
    await writeFile(blocked, 'no directory');
    const directory = directoryTarget(blocked);
    await site.append(3);
    await site.signed(3);
    answer(503);
    await publish(site, directory, webhook);
    const failed = await site.memory.deliveries();
    assert.deepEqual(
      failed.map(({ size, error }) => [size, error !== null]),
      [
        [0, true],
        [0, true],
      ],
    );
    await rm(blocked);
    await mkdir(blocked);
    answer(200);
    await site.append(3);
    const { note } = await site.signed(6);
    await publish(site, directory, webhook);
    assert.equal(await readFile(join(blocked, 'checkpoint'), 'utf8'), note);
    assert.equal(posts.at(-1)?.body, note);
    assert.deepEqual(
      (await site.memory.deliveries()).map(({ size, error }) => [size, error]),
      [
        [6, null],
        [6, null],
      ],
    );
  });

  test('where the settings say', () => {
    const flags = [
      ...['--audit-publish-dir', '/kept', '--audit-publish-s3', 's3://audit/cloud'],
      ...['--audit-publish-webhook', 'https://keeper.example.org/x'],
    ];
    assert.throws(() => configFrom(flags, {}), ConfigError);
    const keys = ['--audit-s3-access-key-id', 'a', '--audit-s3-secret-access-key', 'b'];
    const targets = checkpointTargets(configFrom([...flags, ...keys], {}));
    assert.deepEqual(
      targets.map(({ name }) => name),
      ['/kept', 's3://audit/cloud', 'https://keeper.example.org'],
    );
    for (const target of targets) target.close();
    assert.deepEqual(checkpointTargets(configFrom([], {})), []);
  });
});
