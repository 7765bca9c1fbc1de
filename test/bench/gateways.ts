import { removeAll, seedThroughApi } from './catalogue.ts';
import { busySince } from './cpu.ts';
import { sender } from './load.ts';
import { newRound } from './round.ts';
import { startSite } from './site.ts';

/** Requests a second by what is asked, and how busy the machine's cores were meanwhile, the client's work in it. */
export type GatewayRates = Readonly<
  Record<string, { readonly perSecond: number; readonly busy: number }>
>;

const images = 500;
const json = { 'Content-Type': 'application/json' };
const concurrency = 16;

/** A system of its own with so many gateways, all asked in turn. */
export async function measureGateways(gateways: number, ms: number): Promise<GatewayRates> {
  const site = await startSite(['--gateways', String(gateways)]);
  const senders = site.daguerre.urls.map((url) => sender(url, concurrency));
  const [first] = senders;
  if (first === undefined) throw new Error('no gateway listens');
  try {
    const ids = await seedThroughApi({ admin: first, member: first }, images);
    const made: string[] = [];
    const rates: Record<string, { perSecond: number; busy: number }> = {};
    const measure = async (
      name: string,
      one: (turn: number) => Promise<unknown>,
    ): Promise<void> => {
      const warm = newRound([], { ms: ms / 3, only: [] });
      await warm.measure({ name, concurrency, count: 1, one });
      const round = newRound([], { ms, only: [] });
      const before = busySince();
      await round.measure({ name, concurrency, count: 1, one });
      const { share } = busySince(before);
      const perSecond = round.figures().phases.get(name)?.perSecond ?? 0;
      rates[name] = { perSecond, busy: share };
    };
    const askOf = (turn: number) => (senders[turn % senders.length] ?? first).ask;
    await measure('show', (turn) =>
      askOf(turn)(200, 'GET', `/v2/images/${ids[turn % ids.length]}`),
    );
    await measure('list of 25', (turn) => askOf(turn)(200, 'GET', '/v2/images?limit=25'));
    await measure('create', async (turn) => {
      const image = JSON.stringify({ name: `bench-${turn}`, os_distro: 'debian' });
      const answer = await askOf(turn)(201, 'POST', '/v2/images', image, json);
      made.push(JSON.parse(answer.toString()).id);
    });
    await removeAll(first, made);
    return rates;
  } finally {
    for (const { close } of senders) close();
    await site.end();
  }
}
