import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import pg from 'pg';
import { relayedOf } from '../../infra/bus/nats/relayed.ts';
import { newImage } from '../faults/images.ts';
import { slackMs } from '../faults/slack.ts';
import { until } from '../support/until.ts';
import type { Member, Part } from './member.ts';
import { type Site, startSite } from './site.ts';

/** `design.md`: another takes over within 5 s. */
const boundMs = 5_000;
const rounds = 3;

let site: Site;
let pool: pg.Pool;
before(async () => {
  site = await startSite({ counts: { gateway: 1, worker: 1, projector: 2, relay: 2 } });
  pool = new pg.Pool({ connectionString: site.postgresUrl, max: 1 });
});
after(async () => {
  await pool?.end();
  await site?.stop();
});

/** The process that holds a lease. */
async function holder(part: Part, lease: string): Promise<Member> {
  return until(`a ${part} to hold ${lease}`, async () => {
    const { rows } = await pool.query<{ owner: string }>(
      'select owner from leases where name = $1',
      [lease],
    );
    return site.of(part).find((member) => member.owner() === rows[0]?.owner);
  });
}

/** Kills who holds the lease, again and again; `goesOn` resolves when somebody does its work. */
async function takenOver(
  context: TestContext,
  part: Part,
  lease: string,
  goesOn: () => Promise<unknown>,
): Promise<void> {
  const figures: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(site.of(part).map((member) => member.ready()));
    const victim = await holder(part, lease);
    let comeBack = (): void => {};
    const away = new Promise<void>((resolve) => {
      comeBack = resolve;
    });
    await victim.kill(away);
    const died = performance.now();
    await goesOn();
    const tookMs = Math.round(performance.now() - died);
    figures.push(tookMs);
    assert.notEqual((await holder(part, lease)).name, victim.name);
    comeBack();
    assert.ok(tookMs < boundMs + slackMs(), `${tookMs} ms`);
  }
  context.diagnostic(`taken over after ${figures.join(', ')} ms`);
}

describe('another goes on within 5 s when', () => {
  test('the relay dies that fills the streams', async (context) => {
    const connection = await site.nats.connect();
    let told = 0n;
    connection.subscribe('daguerre.v1.RegionOne.image.>', {
      callback(_, message) {
        told = relayedOf(message.headers)?.position ?? told;
      },
    });
    const created = async (): Promise<void> => {
      const before = told;
      await newImage(site.api);
      await until('it to be told', () => told > before);
    };
    await created();
    await takenOver(context, 'relay', 'relay-events', created);
    await connection.close();
  });

  for (const model of ['images', 'events'])
    test(`the projector dies that keeps the read model ${model}`, async (context) => {
      const position = async (): Promise<bigint> => {
        const { rows } = await pool.query<{ position: string }>(
          `select position from read_model.generation where model = $1 and state = 'live'`,
          [model],
        );
        return BigInt(rows[0]?.position ?? 0);
      };
      await takenOver(context, 'projector', `projector-${model}`, async () => {
        const before = await position();
        await newImage(site.api);
        await until('it to be shown', async () => (await position()) > before);
      });
    });
});
