import { type Case, nameOf, type Section } from './case.ts';
import { clientOf } from './client.ts';
import { offerOf } from './features.ts';
import type { Pending } from './pending.ts';
import { Unmet } from './reply.ts';
import { type Endpoint, siteOf } from './site.ts';

export interface Result {
  readonly section: string;
  readonly statement: string;
  readonly verdict: 'passed' | 'failed' | 'pending' | 'not offered';
  /** Why it did not pass. */
  readonly why: string;
  /** The exchange that failed it, where one did. */
  readonly request: string;
  readonly expected: string;
  readonly got: string;
  readonly ms: number;
}

export interface RunOptions {
  /** Cases at a time. */
  readonly parallel: number;
  /** What the endpoint is known not to have yet. */
  readonly pending: readonly Pending[];
}

/** Runs every case of `sections` against the endpoint, in order of the sections as far as `parallel` lets it. */
export async function run(
  sections: readonly Section[],
  endpoint: Endpoint,
  { parallel, pending }: RunOptions,
): Promise<Result[]> {
  const cases = sections.flatMap((section) => section.cases);
  const probing: string[] = [];
  const admin = clientOf(endpoint.base, endpoint.callers.admin.token, (id) => probing.push(id));
  const offer = await offerOf(endpoint.callers, admin, endpoint.source);
  for (const id of probing) await admin.delete(`/v2/images/${id}`);

  const awaited = new Map(
    pending.flatMap(({ feature, cases: names }) => names.map((name) => [name, feature] as const)),
  );
  const judge = async (one: Case): Promise<Result> => {
    const began = performance.now();
    const absent = one.needs.find((feature) => offer.missing[feature] !== undefined);
    const feature = awaited.get(nameOf(one));
    const told =
      absent === undefined
        ? await outcome(one, endpoint, offer)
        : {
            verdict: 'not offered' as const,
            why: `needs ${absent}: ${offer.missing[absent]}`,
            ...noExchange,
          };
    const ms = Math.round(performance.now() - began);
    return { ...one, ...withPending(told, feature), ms };
  };
  const results: Result[] = new Array(cases.length);
  const queue = cases.entries();
  const lane = async (): Promise<void> => {
    for (const [at, one] of queue) results[at] = await judge(one);
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return [...results, ...strangers(awaited, sections)];
}

type Told = Omit<Result, 'section' | 'statement' | 'ms'>;

const noExchange = { request: '', expected: '', got: '' };

async function outcome(
  one: Case,
  endpoint: Endpoint,
  offer: Parameters<typeof siteOf>[1],
): Promise<Told> {
  const { site, clean } = siteOf(endpoint, offer);
  const failures: unknown[] = [];
  await one.run(site).catch((error: unknown) => failures.push(error));
  await clean().catch((error: unknown) => failures.push(error));
  const [failure] = failures;
  if (failure === undefined) return { verdict: 'passed', why: '', ...noExchange };
  if (!(failure instanceof Unmet))
    return { verdict: 'failed', why: String(failure), ...noExchange };
  const { request, expected, got } = failure;
  return { verdict: 'failed', why: '', request, expected, got };
}

/** What is pending must fail: the list can only shrink. */
function withPending(told: Told, feature: string | undefined): Told {
  if (feature === undefined) return told;
  if (told.verdict !== 'passed') return { ...told, verdict: 'pending', why: feature };
  const why = `no longer pending (${feature}): remove it from pending.ts`;
  return { ...told, verdict: 'failed', why };
}

/** Names on the pending list that no case of a section which was run has. */
function strangers(
  awaited: ReadonlyMap<string, string>,
  sections: readonly Section[],
): readonly Result[] {
  const known = new Set(sections.flatMap(({ cases }) => cases.map(nameOf)));
  return [...awaited.keys()]
    .map((name) => ({ name, section: name.split(':', 1)[0] ?? '' }))
    .filter(({ name, section }) => sections.some((ran) => ran.name === section) && !known.has(name))
    .map(({ name, section }) => ({
      section,
      statement: name.slice(section.length + 2),
      verdict: 'failed',
      why: 'pending.ts names a case that is not there',
      ...noExchange,
      ms: 0,
    }));
}
