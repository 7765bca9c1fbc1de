import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isWholeFor, ownTime } from '../../apps/gateway/audit/own-time.ts';
import { auditAccess } from '../../domain/audit/access.ts';
import { isConsistent, isIncluded, leafHash } from '../../domain/audit/merkle.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { entryText, leafOf, sha256 } from '../../infra/audit/sha256.ts';
import { verifyBundle } from '../../infra/audit/verifier.ts';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';
import type { Answer } from '../support/http.ts';
import { auditSite, type Site } from './site.ts';

const auditor = 'otto:office:auditor';

interface Audited {
  readonly gateway: TestGateway;
  readonly site: Site;
  readonly log: EventLog;
  /** Signs everything that happened so far; gives its count. */
  sign(): Promise<number>;
}

async function audited(t: TestContext): Promise<Audited> {
  const site = await auditSite(t);
  const gateway = await startGateway(t, {
    change: (ports) => {
      const { store, memory } = site;
      const { proofs } = site.ports;
      const access = auditAccess(parsePolicy(null));
      return { ...ports, audit: { log: ports.log, store, memory, proofs, access } };
    },
  });
  const { log } = gateway.ports;
  return {
    ...{ gateway, site, log },
    async sign() {
      const count = Number(await log.head());
      await site.signed(count, log);
      return count;
    },
  };
}

const lines = ({ text }: Answer): readonly string[] => text.trim().split('\n');
const bytes = (base64: unknown): Buffer => Buffer.from(String(base64), 'base64');

describe('GET /audit/v1', () => {
  test('is not found while nothing has been signed', async (t) => {
    const { gateway } = await audited(t);
    for (const path of ['checkpoint', 'tile/0/000', 'tile/entries/000', 'proofs/events/1'])
      assert.equal((await gateway.ask(`/audit/v1/${path}`, { token: admin })).status, 404, path);
  });

  test('serves the checkpoint, tiles and entries as tlog-tiles has them', async (t) => {
    const { gateway, log, sign } = await audited(t);
    for (let image = 0; image < 300; image += 1) await gateway.create();
    const count = await sign();
    const ask = (path: string, headers = {}) =>
      gateway.ask(`/audit/v1/${path}`, { token: auditor, headers });
    const checkpoint = await ask('checkpoint');
    assert.equal(checkpoint.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(checkpoint.headers['cache-control'], 'no-store');
    assert.match(checkpoint.text, /^example\.com\/audit\n300\n/);

    const events = await log.readAll(0n, 1_000);
    const hashes = Buffer.concat(events.map(leafOf));
    const full = await ask('tile/0/000');
    assert.equal(full.headers['content-type'], 'application/octet-stream');
    assert.match(String(full.headers['cache-control']), /immutable/);
    assert.ok(full.bytes.equals(hashes.subarray(0, 8_192)));
    const partial = await ask(`tile/0/001.p/${count - 256}`);
    assert.ok(partial.bytes.equals(hashes.subarray(8_192)));
    assert.equal((await ask('tile/1/000.p/1')).bytes.length, 32);
    assert.ok((await ask('tile/0/001.p/7')).bytes.equals(hashes.subarray(8_192, 8_192 + 7 * 32)));

    const bundle = await ask('tile/entries/000', { 'Accept-Encoding': 'identity' });
    assert.equal(bundle.headers['content-encoding'], undefined);
    const entries: string[] = [];
    for (let at = 0; at < bundle.bytes.length; ) {
      const length = bundle.bytes.readUInt16BE(at);
      entries.push(bundle.bytes.toString('utf8', at + 2, at + 2 + length));
      at += 2 + length;
    }
    assert.deepEqual(entries, events.slice(0, 256).map(entryText));
    const zipped = await ask('tile/entries/000', { 'Accept-Encoding': 'br, gzip' });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.ok(gunzipSync(zipped.bytes).equals(bundle.bytes));

    for (const path of [
      'tile/0/001',
      'tile/0/001.p/45',
      'tile/0/002.p/1',
      'tile/1/000',
      'tile/2/000.p/1',
      'tile/0/0',
      'tile/00/000',
      'tile/64/000',
      'tile/entries/001',
      'tile/entries/x000/000',
    ])
      assert.equal((await ask(path)).status, 404, path);
  });

  test('shows each caller what is for it', async (t) => {
    const { gateway, sign } = await audited(t);
    const id = await gateway.create({ name: 'private' });
    const shared = await gateway.create({ visibility: 'community' });
    await sign();
    const statuses = async (path: string): Promise<string> => {
      const callers = [admin, auditor, alice, reader, bob, 'nina:red:', 'olga::member'];
      const answers = callers.map((token) => gateway.ask(`/audit/v1/${path}`, { token }));
      return (await Promise.all(answers)).map(({ status }) => status).join(' ');
    };
    for (const path of [
      'checkpoint',
      'checkpoint/2',
      'keys',
      'tile/0/000.p/2',
      'proofs/consistency',
    ])
      assert.equal(await statuses(path), '200 200 200 200 200 200 200', path);
    assert.equal(await statuses('tile/entries/000.p/2'), '200 200 403 403 403 403 403');
    assert.equal(await statuses(`proofs/images/${id}`), '200 200 200 200 404 403 404');
    assert.equal(await statuses(`proofs/images/${shared}`), '200 200 200 200 403 403 403');
    assert.equal(await statuses('proofs/events/1'), '200 200 200 200 404 404 404');
    assert.equal(await statuses('proofs/events/9'), '404 404 404 404 404 404 404');
  });

  test("proves an image's whole history, and withholds what its owner may not see", async (t) => {
    const { gateway, site, log, sign } = await audited(t);
    const id = await gateway.createActive(Buffer.from('some bytes'));
    const replace = [{ op: 'replace', path: '/name', value: 'renamed' }];
    await gateway.patch(`/v2/images/${id}`, replace);
    await gateway.patch(`/v2/images/${id}`, [{ ...replace[0], value: 'by somebody else' }], admin);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    await sign();
    const { events } = await log.readStream(`image-${id}`);
    const keys = await site.keys();
    const seen = async (token: string) => {
      const answer = await gateway.ask(`/audit/v1/proofs/images/${id}`, { token });
      assert.equal(answer.headers['content-type'], 'application/x-ndjson');
      const report = await verifyBundle(lines(answer), { keys });
      assert.deepEqual(report.findings, []);
      assert.equal(report.events, events.length);
      return lines(answer)
        .map((line) => JSON.parse(line))
        .filter(({ entry }) => entry !== undefined)
        .map(({ entry }) => JSON.parse(entry));
    };
    assert.equal((await seen(auditor)).length, events.length);
    const own = await seen(alice);
    const types = own.map(({ type }) => type);
    assert.ok(types.includes('ImageCreated') && types.includes('ImageActivated'), String(types));
    for (const type of ['IngestClaimed', 'ImageDataStored']) assert.ok(!types.includes(type), type);
    const renamed = own.filter(({ type }) => type === 'ImageUpdated');
    assert.deepEqual(
      renamed.map(({ metadata }) => metadata.actor.userId),
      ['alice'],
    );
  });

  test('an image bundle of which anything was changed does not verify', async (t) => {
    const { gateway, site, sign } = await audited(t);
    const id = await gateway.create({ name: 'one' });
    const replace = (value: string) => [{ op: 'replace', path: '/name', value }];
    for (const name of ['two', 'three', 'four'])
      await gateway.patch(`/v2/images/${id}`, replace(name));
    await sign();
    const answer = await gateway.ask(`/audit/v1/proofs/images/${id}`);
    const whole = lines(answer);
    const keys = await site.keys();
    const findings = async (changed: readonly string[]) =>
      (await verifyBundle(changed, { keys })).findings.map(({ what, index }) => `${what} ${index}`);
    assert.deepEqual(await findings(whole), []);
    const [head = '', first = '', second = '', third = '', ...rest] = whole;
    assert.deepEqual(
      await findings([head, first, second.replace('"two\\"', '"twO\\"'), third, ...rest]),
      ['altered 1'],
    );
    assert.deepEqual(await findings([head, first, third, ...rest]), [
      'missing 2',
      'malformed null',
    ]);
    assert.deepEqual(await findings([head, first, third, second, ...rest]), [
      'missing 2',
      'altered 1',
      'missing 1',
      'missing 3',
    ]);
    const other = head.replace(id, '00000000-0000-4000-8000-000000000000');
    assert.ok((await findings([other, first, second, third, ...rest])).length > 0);
  });

  test('proves one event, also in the words of C2SP', async (t) => {
    const { gateway, sign } = await audited(t);
    for (let image = 0; image < 20; image += 1) await gateway.create();
    const size = await sign();
    const told = (await gateway.ask('/audit/v1/proofs/events/7')).json();
    const checkpoint = String(told.checkpoint).split('\n');
    const given = {
      index: Number(told.index),
      size,
      leaf: leafHash(sha256, Buffer.from(String(told.entry))),
      proof: (told.proof as string[]).map(bytes),
      root: bytes(checkpoint[2]),
    };
    assert.equal(given.index, 6);
    assert.ok(isIncluded(sha256, given));
    const headers = { Accept: 'text/plain' };
    const text = (await gateway.ask('/audit/v1/proofs/events/7', { headers })).text;
    const expected = [
      'c2sp.org/tlog-proof@v1',
      'index 6',
      ...(told.proof as string[]),
      '',
      told.checkpoint,
    ];
    assert.equal(text, expected.join('\n'));
  });

  test('proves that one tree grew out of another', async (t) => {
    const { gateway, site, sign } = await audited(t);
    for (let image = 0; image < 5; image += 1) await gateway.create();
    const first = await sign();
    for (let image = 0; image < 6; image += 1) await gateway.create();
    const second = await sign();
    const path = `/audit/v1/proofs/consistency?from=${first}&to=${second}`;
    const { proof } = (await gateway.ask(path, { token: bob })).json();
    const [before, after] = [await site.memory.at(first), await site.memory.at(second)];
    assert.ok(before !== undefined && after !== undefined);
    const [firstRoot, secondRoot] = [before.root, after.root];
    const given = { first, second, firstRoot, secondRoot, proof: (proof as string[]).map(bytes) };
    assert.ok(isConsistent(sha256, given));
    for (const query of ['from=6&to=5', 'to=99', 'from=x', 'from=-1'])
      assert.equal((await gateway.ask(`/audit/v1/proofs/consistency?${query}`)).status, 400, query);
  });
});

describe('What a project may see of the entries of an image', () => {
  const stream = (...facts: readonly (readonly [string, JsonObject, string?])[]) =>
    facts.map(
      ([type, data, projectId = 'red'], at): RecordedEvent => ({
        id: String(at),
        type,
        data,
        schemaVersion: 1,
        streamId: 'image-1',
        revision: at,
        position: BigInt(at + 1),
        recordedAt: new Date(0),
        metadata: {
          actor: { kind: 'user', userId: 'u', projectId, roles: ['member'] },
          requestId: 'r',
          causationId: 'c',
          correlationId: 'd',
        },
      }),
    );
  const given = (to: string): JsonObject => ({
    changes: [{ field: 'owner', from: 'red', to }],
    properties: [],
  });
  const caller = { userId: 'u', projectId: 'red', roles: ['reader'] } as never;
  const all = { ruleAgainst: () => undefined };

  test('is of the time in which it owned the image, the hand-over included on both sides', () => {
    const events = stream(
      ['ImageCreated', { owner: 'red' }],
      ['TagAdded', { tag: 'one' }],
      ['ImageUpdated', given('blue')],
      ['TagAdded', { tag: 'two' }],
      ['ImageUpdated', { changes: [{ field: 'owner', from: 'blue', to: 'red' }], properties: [] }],
    );
    assert.deepEqual([...ownTime(events, 'red')], [1n, 2n, 3n, 5n]);
    assert.deepEqual([...ownTime(events, 'blue')], [3n, 4n, 5n]);
    assert.deepEqual([...ownTime(events, null)], []);
  });

  test('is nothing that events outside would not tell it', () => {
    const [tag, claim, located, foreign, created] = stream(
      ['TagAdded', { tag: 'one' }],
      ['IngestClaimed', { owner: 'worker-1' }],
      ['LocationAdded', { store: 'http', url: 'https://user:password@host/' }],
      ['TagAdded', { tag: 'two' }, 'operations'],
      ['ImageCreated', { owner: 'red', properties: { billing_code: '4711' } }],
    );
    const guarded = {
      ruleAgainst: (_: string, name: string) => (name === 'billing_code' ? 'x' : undefined),
    };
    assert.ok(tag && claim && located && foreign && created);
    assert.ok(isWholeFor(tag, caller, all));
    assert.ok(!isWholeFor(claim, caller, all));
    assert.ok(!isWholeFor(located, caller, all));
    assert.ok(!isWholeFor(foreign, caller, all));
    assert.ok(isWholeFor(created, caller, all));
    assert.ok(!isWholeFor(created, caller, guarded as never));
  });
});
