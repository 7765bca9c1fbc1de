import { until } from '../support/until.ts';
import type { Api } from './api.ts';
import type { Chance } from './chance.ts';
import { filesBelow } from './disk.ts';
import type { LogWatch } from './log-watch.ts';
import type { KnownImage, Oracle, Shown } from './oracle.ts';
import { rowsThatDiffer } from './read-model-check.ts';
import type { System } from './system.ts';
import { type Problem, problemsOf } from './tally.ts';

export interface Checked extends Pick<System, 'api' | 'postgresUrl' | 'stagingDir' | 'storeDir'> {
  readonly oracle: Oracle;
  readonly watch: LogWatch;
  readonly chance: Chance;
  /** Longest that bytes which nothing names may lie about. */
  readonly sweptWithinMs: number;
}

/** Everything that is true of a system at rest. Gives what is not. */
export async function problemsAtRest(checked: Checked, verified: Set<string>): Promise<Problem[]> {
  const found = {
    lost: [...(await wrongAnswers(checked)), ...(await wrongBytes(checked, verified))],
    orphan: await orphans(checked),
    differs: await rowsThatDiffer(checked.postgresUrl),
    log: checked.watch.problems.splice(0),
  };
  found.lost.push(...(await missingFiles(checked)));
  return [
    ...found.lost.map(problemsOf('lost')),
    ...found.orphan.map(problemsOf('orphan')),
    ...found.differs.map(problemsOf('differs')),
    ...found.log.map(problemsOf('log')),
  ];
}

/** What the API shows against what clients were told, and against the log. */
async function wrongAnswers({ api, oracle, watch, chance }: Checked): Promise<string[]> {
  const problems: string[] = [];
  const shown = new Map<string, Shown>();
  let next: string | undefined = '/v2/images?limit=500';
  while (next !== undefined) {
    const page: { images: Shown[]; next?: string } = await gotten(api, next);
    for (const image of page.images) shown.set(image.id, image);
    next = page.next;
  }
  for (const image of oracle.images.values())
    problems.push(...oracle.judge(image, shown.get(image.id)));
  for (const [id, { status }] of shown) {
    if (!oracle.images.has(id)) problems.push(`image ${id} is ${status}, and nobody made it`);
    if (watch.state(id).status !== status)
      problems.push(
        `image ${id} is shown as ${status}, in the log it is ${watch.state(id).status}`,
      );
  }
  const unseen = [...oracle.images.values()].filter(({ id }) => !shown.has(id));
  for (const { id } of chance.shuffled(unseen).slice(0, 5)) {
    const answer = await api.json('GET', `/v2/images/${id}`);
    if (answer.kind !== 'answered' || answer.status !== 404)
      problems.push(`image ${id} is not listed, but it shows: ${JSON.stringify(answer)}`);
  }
  return problems;
}

/** Downloads what was not downloaded before, and a few of the others again. */
async function wrongBytes({ api, oracle, chance }: Checked, verified: Set<string>) {
  const problems: string[] = [];
  const whole = [...oracle.images.values()].flatMap((image): [KnownImage, string][] => {
    const content = oracle.contentOf(image);
    return content === undefined ? [] : [[image, `${image.id} ${content.id}`]];
  });
  const fresh = whole.filter(([, token]) => !verified.has(token));
  const again = chance.shuffled(whole.filter(([, token]) => verified.has(token))).slice(0, 3);
  for (const [image, token] of [...fresh, ...again]) {
    const content = oracle.contentOf(image);
    const answer = await api.json('GET', `/v2/images/${image.id}/file`);
    const status = content?.size === 0 ? [200, 204] : [200];
    if (answer.kind !== 'answered' || !status.includes(answer.status))
      problems.push(`image ${image.id} does not download: ${JSON.stringify(answer)}`);
    else if (!content?.bytes().equals(answer.body))
      problems.push(`image ${image.id} downloads other bytes than were uploaded`);
    verified.add(token);
  }
  return problems;
}

/** Staging holds open uploads and nothing else, the store what images name and nothing else. */
async function orphans({ watch, stagingDir, storeDir, sweptWithinMs }: Checked): Promise<string[]> {
  const look = async (): Promise<string[]> => {
    await watch.read();
    const open = new Set(watch.openUploads());
    const named = new Set(watch.namedKeys());
    const staged = await filesBelow(stagingDir);
    const stored = await filesBelow(storeDir);
    return [
      ...staged.filter((path) => !open.has(path)).map((path) => `in staging: ${path}`),
      ...stored.filter((path) => !named.has(path)).map((path) => `in the store: ${path}`),
    ];
  };
  const swept = async (): Promise<boolean> => (await look()).length === 0;
  const options = { timeoutMs: sweptWithinMs, everyMs: 50 };
  return until('the sweeper', swept, options).then(() => [], look);
}

async function missingFiles({ watch, storeDir }: Checked): Promise<string[]> {
  const stored = new Set(await filesBelow(storeDir));
  const missing = watch.namedKeys().filter((key) => !stored.has(key));
  return missing.map((key) => `the store has no ${key}`);
}

async function gotten<Body>(api: Api, path: string): Promise<Body> {
  const answer = await api.json('GET', path);
  if (answer.kind !== 'answered' || answer.status !== 200)
    throw new Error(`GET ${path}: ${JSON.stringify(answer)}`);
  return JSON.parse(String(answer.body)) as Body;
}
