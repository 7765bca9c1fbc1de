import {
  type Callers,
  caughtUp,
  removeAll,
  seededThere,
  seedThroughApi,
  seedThroughLog,
  vacuumed,
} from './catalogue.ts';
import { type Endpoint, measureImageApi, type Work } from './image-api.ts';
import {
  adminOf,
  type ClientEnvironment,
  keystoneFlags,
  keystoneToken,
  userFrom,
} from './keystone.ts';
import { percentiles, sender } from './load.ts';
import { type Verdict, verdicts } from './reach.ts';
import { atRest } from './rest.ts';
import { measureRoofline } from './roofline.ts';
import { medians, type PhaseFigures, type RoundFigures } from './round.ts';
import { startSite } from './site.ts';
import { aligned, short } from './table.ts';

export interface AgainstOptions {
  /** Of the Image API to be compared with. */
  readonly other: string;
  /** Its processes. */
  readonly otherPids: readonly number[];
  readonly rounds: number;
  readonly work: Work;
  /** Who lists as a member: `user:password:project`, or without a Keystone the token itself. Absent: the administrator. */
  readonly member?: string;
  /** The other has a catalogue already: images tagged `seed`, with a property `seed_slot`. It stays. */
  readonly seeded: boolean;
  /** The other's catalogue stays, for another run with `seeded`. */
  readonly keep: boolean;
  readonly env: ClientEnvironment;
}

export interface Comparison {
  readonly ours: RoundFigures;
  readonly others: RoundFigures;
  /** MB/s. */
  readonly roofline: number;
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
}

const mostAtOnce = 16;

/**
 * The embedded profile and another Image API in turn, A B and B A, so that a machine whose speed drifts is unfair to none.
 * With `OS_AUTH_URL` and the other variables of the clients both ask that Keystone, with the same tokens; else none is asked.
 */
export async function measureAgainst(options: AgainstOptions): Promise<Comparison> {
  const { other, otherPids, rounds, work, seeded, keep } = options;
  const who = await identities(options);
  const site = await startSite(keystoneFlags(options.env));
  const sides = {
    ours: { url: site.daguerre.url, pids: site.pids, ids: [] as readonly string[] },
    others: { url: other, pids: otherPids, ids: [] as readonly string[] },
  };
  type Side = keyof typeof sides;
  const at = <Result>(side: Side, task: (endpoint: Endpoint) => Promise<Result>) =>
    who.asking(sides[side].url, (callers) => task({ ...sides[side], callers }));
  const seen: Record<Side, RoundFigures[]> = { ours: [], others: [] };
  const rooflines: number[] = [];
  try {
    const api = ({ callers }: Endpoint) => seedThroughApi(callers, work.images);
    const there = ({ callers }: Endpoint) => seededThere(callers);
    sides.others.ids = await at('others', seeded ? there : api);
    const count = sides.others.ids.length;
    if (count === 0) throw new Error(`nothing is tagged seed at ${other}`);
    sides.ours.ids = seeded
      ? await likeThere(site.daguerre.postgresUrl, who.projectId, count)
      : await at('ours', api);
    progress(`${count} images on each side`);
    for (let round = 0; round < rounds; round += 1) {
      await atRest([...site.pids, ...otherPids], work.ms / 3);
      rooflines.push(await measureRoofline(site.daguerre.dataDir, work.large));
      const turns: readonly Side[] = round % 2 === 0 ? ['ours', 'others'] : ['others', 'ours'];
      for (const side of turns) {
        seen[side].push(await at(side, (endpoint) => measureImageApi(endpoint, work)));
        progress(`round ${round + 1} of ${rounds}: ${side} done`);
      }
    }
  } finally {
    if (!seeded && !keep)
      await at('others', ({ callers, ids }) => removeAll(callers.admin, ids)).catch(() =>
        progress(`images tagged seed are left at ${other}`),
      );
    await site.end();
  }
  const [ours, others] = [medians(seen.ours), medians(seen.others)];
  const roofline = percentiles(rooflines).p50Ms;
  const { large } = work;
  const notes = [...who.notes, ...constantNotes];
  return {
    ours,
    others,
    roofline,
    verdicts: verdicts({ ours, others }, { roofline, large }),
    notes,
  };
}

/** As active as those of a catalogue that was filled in the other's database, and vacuumed as it was analysed. */
async function likeThere(postgresUrl: string, owner: string, count: number): Promise<string[]> {
  const ids = await seedThroughLog(postgresUrl, { owner, count });
  await caughtUp(postgresUrl);
  await vacuumed(postgresUrl);
  return ids;
}

const progress = (line: string) => process.stderr.write(`${line}\n`);

const constantNotes = [
  'CPU is of all processes of a side with its database, what they do idly in that time in it; a Keystone counts with none',
  'list by property: a hundred values in turn',
  'never asked before: with a bound that is true of every image, another at each request, so that no answer can be kept',
  'memory: the most at a time, proportional set sizes, what is shared counted once',
];

/** Asks for the tokens, and for others with each turn: a long run outlives them. */
async function identities({ env, member }: Pick<AgainstOptions, 'env' | 'member'>) {
  const named = env.OS_AUTH_URL !== undefined;
  const tokens = async () => {
    if (!named) return { member: { text: member, projectId: member?.split(':')[1] ?? 'default' } };
    const admin = await keystoneToken(env, adminOf(env));
    const other = member === undefined ? admin : await keystoneToken(env, userFrom(member));
    return { admin, member: other };
  };
  const { projectId } = (await tokens()).member;
  return {
    projectId,
    notes: [
      named ? 'both ask the same Keystone' : 'no Keystone: nobody asks for tokens',
      ...(member === undefined
        ? ['no member was named: its rows are the administrator again']
        : []),
    ],
    async asking<Result>(
      url: string,
      task: (callers: Callers) => Promise<Result>,
    ): Promise<Result> {
      const current = await tokens();
      const senderWith = (text: string | undefined) =>
        sender(url, mostAtOnce, text === undefined ? {} : { 'X-Auth-Token': text });
      const [admin, asMember] = [senderWith(current.admin?.text), senderWith(current.member.text)];
      try {
        return await task({ admin, member: asMember });
      } finally {
        admin.close();
        asMember.close();
      }
    },
  };
}

/** What was reached, then each phase. */
export function againstTable({ ours, others, verdicts, notes }: Comparison): string {
  const times = (value: number | undefined): string =>
    value === undefined ? '' : `${short(value)} x`;
  const reached = [
    ['', '', 'here', 'there', 'times', 'reach', 'aim', ''],
    ...verdicts.map(({ what, unit, here, there, times: found, reach, aim, verdict }) => [
      ...[what, unit, short(here), short(there), times(found), times(reach), times(aim), verdict],
    ]),
  ];
  const cells = (figures: PhaseFigures | undefined): string[] =>
    [figures?.perSecond, figures?.p50Ms, figures?.p99Ms, figures?.cpuMs].map(short);
  const columns = ['1/s', 'p50 ms', 'p99 ms', 'cpu ms'];
  const phases = [
    ['', ...columns.map((one) => `here ${one}`), ...columns.map((one) => `there ${one}`)],
    ...[...ours.phases].map(([name, figures]) => [
      ...[name, ...cells(figures), ...cells(others.phases.get(name))],
    ]),
  ];
  return [aligned(reached), aligned(phases), notes.map((note) => `- ${note}`).join('\n')].join(
    '\n\n',
  );
}
