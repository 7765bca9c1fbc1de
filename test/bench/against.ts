import { writeFile } from 'node:fs/promises';
import { startDaguerre } from '../support/daguerre.ts';
import { chart } from './chart.ts';
import {
  type Endpoint,
  measureImageApi,
  medians,
  type Phase,
  type PhaseFigures,
  type Work,
} from './image-api.ts';

export interface AgainstOptions {
  /** Of the Image API to be compared with. */
  readonly other: string;
  /** Its processes. */
  readonly otherPids: readonly number[];
  readonly rounds: number;
  readonly work: Work;
  /** Where the chart goes; undefined for none. */
  readonly chart?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Comparison {
  readonly ours: ReadonlyMap<Phase, PhaseFigures>;
  readonly others: ReadonlyMap<Phase, PhaseFigures>;
}

/**
 * The embedded profile and another Image API in turn, A B and B A, so that a machine whose speed drifts is unfair to none.
 * With `OS_AUTH_URL` and the other variables of the clients both ask that Keystone, with one token; else none is asked.
 */
export async function measureAgainst(options: AgainstOptions): Promise<Comparison> {
  const { other, otherPids, rounds, work, env } = options;
  const token = env.OS_AUTH_URL === undefined ? undefined : await tokenFrom(env);
  const named = token === undefined ? {} : { token };
  const daguerre = await startDaguerre({ args: ['--log-level', 'warn', ...keystoneFlags(env)] });
  const end = () => daguerre.stop();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().then(() => process.exit(130)));
  try {
    const sides = {
      ours: { url: daguerre.url, pids: [daguerre.pid], ...named } satisfies Endpoint,
      others: { url: other, pids: otherPids, ...named } satisfies Endpoint,
    };
    const seen = { ours: [], others: [] } as {
      [side in keyof typeof sides]: ReadonlyMap<Phase, PhaseFigures>[];
    };
    for (let round = 0; round < rounds; round += 1)
      for (const side of round % 2 === 0
        ? (['ours', 'others'] as const)
        : (['others', 'ours'] as const)) {
        seen[side].push(await measureImageApi(sides[side], work));
        process.stderr.write(`round ${round + 1} of ${rounds}: ${side} done\n`);
      }
    const comparison = { ours: medians(seen.ours), others: medians(seen.others) };
    if (options.chart !== undefined) await writeFile(options.chart, chart(ratios(comparison)));
    return comparison;
  } finally {
    await end();
  }
}

/** How many times as many a second; by CPU, how many times less each. */
export function ratios({ ours, others }: Comparison) {
  return [...ours].map(([phase, our]) => {
    const other = others.get(phase);
    const cpu =
      our.cpuMs !== undefined && other?.cpuMs !== undefined ? other.cpuMs / our.cpuMs : undefined;
    return { phase, rate: our.perSecond / (other?.perSecond ?? Number.NaN), cpu };
  });
}

export function againstTable(comparison: Comparison): string {
  const { ours, others } = comparison;
  const cells = (figures: PhaseFigures | undefined): string[] =>
    figures === undefined
      ? ['-', '-', '-']
      : [
          figures.perSecond.toPrecision(4),
          figures.p50Ms.toFixed(1),
          figures.cpuMs === undefined ? '-' : figures.cpuMs.toPrecision(3),
        ];
  const rows = [
    ['', 'here/s', 'p50 ms', 'cpu ms', 'there/s', 'p50 ms', 'cpu ms', 'times', 'times by cpu'],
    ...ratios(comparison).map(({ phase, rate, cpu }) => [
      phase,
      ...cells(ours.get(phase)),
      ...cells(others.get(phase)),
      rate.toFixed(1),
      cpu === undefined ? '-' : cpu.toFixed(1),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}

async function tokenFrom(env: AgainstOptions['env']): Promise<string> {
  const user = {
    name: env.OS_USERNAME,
    password: env.OS_PASSWORD,
    domain: { name: env.OS_USER_DOMAIN_NAME ?? 'Default' },
  };
  const project = {
    name: env.OS_PROJECT_NAME,
    domain: { name: env.OS_PROJECT_DOMAIN_NAME ?? 'Default' },
  };
  const answer = await fetch(`${env.OS_AUTH_URL?.replace(/\/$/, '')}/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      auth: { identity: { methods: ['password'], password: { user } }, scope: { project } },
    }),
  });
  const token = answer.headers.get('x-subject-token');
  if (token === null) throw new Error(`Keystone gives no token: ${await answer.text()}`);
  return token;
}

const keystoneFlags = (env: AgainstOptions['env']): string[] =>
  env.OS_AUTH_URL === undefined
    ? []
    : [
        ...['--identity', 'keystone', '--keystone-auth-url', env.OS_AUTH_URL],
        ...['--keystone-username', env.OS_USERNAME ?? ''],
        ...['--keystone-password', env.OS_PASSWORD ?? ''],
        ...['--keystone-project-name', env.OS_PROJECT_NAME ?? ''],
      ];
