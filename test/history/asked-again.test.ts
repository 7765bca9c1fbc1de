import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forgetHowFar, positionAsked } from '../../apps/gateway/history/as-of.ts';
import type { HistoryPorts } from '../../apps/gateway/history/ports.ts';
import { HttpError } from '../../apps/gateway/http-error.ts';
import { access } from '../../domain/image/access.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { parseProtections, protectionsBy } from '../../domain/property-protections/protections.ts';
import { alice, reader } from '../support/gateway.ts';
import { startHistorySite } from './site.ts';

const onlyFor = (who: string): string =>
  ['create', 'read', 'update', 'delete'].map((operation) => `${operation} = ${who}`).join('\n');
const protections = `[^cost_]\n${onlyFor('member')}\n[.*]\n${onlyFor('@')}\n`;

test('a listing of then that is asked again is read once, and each caller still sees their own', async (t) => {
  const policy = parsePolicy({});
  const pages = new Set<unknown>();
  const site = await startHistorySite(t, (ports) => {
    const { past } = ports.history;
    const list: typeof past.list = async (...asked) => {
      const page = await past.list(...asked);
      pages.add(page);
      return page;
    };
    return {
      ...ports,
      access: access(policy, protectionsBy(parseProtections(protections, 'roles'), policy)),
      history: { ...ports.history, past: { ...past, list } },
    };
  });
  await site.create({ name: 'one', cost_center: '7' });
  await site.create({ name: 'two', cost_center: '8' });
  const at = await site.ports.log.head();
  await site.create({ name: 'three' });
  const asked = async (token: string, then: string): Promise<string> => {
    const { status, text } = await site.ask(`/history/v1/images?limit=2&sort=name&${then}`, {
      token,
    });
    assert.equal(status, 200, text);
    return text;
  };
  const then = `as_of_position=${at}`;
  for (let round = 0; round < 3; round += 1) {
    const whole = JSON.parse(await asked(alice, then));
    assert.deepEqual(
      whole.images.map(({ name, cost_center }: Record<string, unknown>) => [name, cost_center]),
      [
        ['two', '8'],
        ['one', '7'],
      ],
    );
    assert.equal(whole.first, `/history/v1/images?limit=2&sort=name&${then}`);
    assert.match(whole.next, new RegExp(`&marker=.*&${then}$|&${then}&marker=`));
    assert.doesNotMatch(await asked(reader, then), /cost_center/);
  }
  assert.equal(pages.size, 1);
});

describe('how far history was', () => {
  const reaching = (positions: { known: bigint; head: bigint; looked: number }): HistoryPorts =>
    ({
      changes: {
        checkpoint: async () => {
          positions.looked += 1;
          return positions.known;
        },
      },
      log: { head: async () => positions.head },
    }) as unknown as HistoryPorts;
  const asOf = (ports: HistoryPorts, position: number): Promise<bigint> =>
    positionAsked(ports, [['as_of_position', String(position)]]);

  test('is looked for once for all that lies before it', async () => {
    const positions = { known: 5n, head: 5n, looked: 0 };
    const ports = reaching(positions);
    for (const position of [5, 1, 3]) assert.equal(await asOf(ports, position), BigInt(position));
    assert.equal(positions.looked, 1);
    positions.known = 6n;
    assert.equal(await asOf(ports, 6), 6n);
    assert.equal(positions.looked, 2);
  });

  test('is forgotten when the log may have gone back', async () => {
    const positions = { known: 5n, head: 5n, looked: 0 };
    const ports = reaching(positions);
    await asOf(ports, 5);
    Object.assign(positions, { known: 2n, head: 2n });
    assert.equal(await asOf(ports, 5), 5n);
    forgetHowFar(ports.changes);
    await assert.rejects(
      asOf(ports, 5),
      (error) => error instanceof HttpError && error.status === 400,
    );
    assert.equal(await asOf(ports, 2), 2n);
  });
});
