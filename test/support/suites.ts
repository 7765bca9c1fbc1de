import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DebianPackage } from '../../infra/servers/debian-packages.ts';
import { debianPackages } from './packages.ts';

/** The test files of one folder of `test/`, run together. */
export interface Suite {
  /** The folder's, but for one that is run on both profiles. */
  readonly name: string;
  readonly folder: string;
  readonly files: readonly string[];
  /** Besides the run's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** A suite that takes longer is ended and has failed. Far above what a quiet machine takes: it ends what hangs. */
  readonly budgetSeconds: number;
  /** Test files run side by side. */
  readonly concurrency: number;
  readonly packages: readonly DebianPackage[];
  /** Whether it uses the run's shared Postgres. */
  readonly postgres: boolean;
}

type Needs = Partial<Omit<Suite, 'name' | 'folder' | 'files'>>;

const usual = {
  environment: {},
  budgetSeconds: 600,
  concurrency: 1,
  packages: debianPackages,
  postgres: true,
} satisfies Needs;

/** Those that differ from the usual; the long ones first, since suites start in this order. */
const differing: Readonly<Record<string, Needs>> = {
  faults: { budgetSeconds: 1200 },
  'faults-distributed': { budgetSeconds: 1200 },
  distributed: { budgetSeconds: 900, postgres: false },
  'end-to-end': { budgetSeconds: 2100, concurrency: 2 },
  'end-to-end-distributed': { budgetSeconds: 2100, concurrency: 2 },
  quota: { budgetSeconds: 600 },
  bulk: { budgetSeconds: 900 },
  gateway: { budgetSeconds: 600 },
  cli: { budgetSeconds: 600 },
  audit: { budgetSeconds: 900, packages: [] },
  retention: { budgetSeconds: 600, packages: [] },
  backup: { budgetSeconds: 600, packages: [] },
  export: { budgetSeconds: 900 },
  bench: { budgetSeconds: 600 },
  inspection: { budgetSeconds: 300, postgres: false },
  domain: { budgetSeconds: 120, packages: [], postgres: false },
  config: { budgetSeconds: 60, packages: [], postgres: false },
  identity: { postgres: false },
  deploy: { budgetSeconds: 120, postgres: false },
  standalone: { budgetSeconds: 600, postgres: false },
  doctor: { budgetSeconds: 600 },
  relay: { postgres: false },
  bus: { postgres: false },
  download: { postgres: false },
  plugins: { postgres: false },
  'test-command': { budgetSeconds: 120, packages: [], postgres: false },
};

/** Run once more with the parts of the distributed profile: see `profile.ts`. */
const onBothProfiles: Readonly<Record<string, { readonly without: readonly string[] }>> = {
  'end-to-end': { without: [] },
  // These test what the tests are made of.
  faults: { without: ['checker', 'oracle'] },
};

const here = fileURLToPath(new URL('..', import.meta.url));
const ending = '.test.js';

/** One suite per folder of compiled tests, and one more where it is for both profiles, in the order they start. */
export function allSuites(): Suite[] {
  const folders = readdirSync(here, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, folder: name, files: testFilesIn(join(here, name)) }))
    .filter(({ files }) => files.length > 0)
    .flatMap((suite) => [suite, ...onDistributed(suite)]);
  const order = Object.keys(differing);
  const rank = (name: string): number =>
    order.includes(name) ? order.indexOf(name) : order.indexOf('inspection');
  return folders
    .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name))
    .map((folder) => ({ ...usual, ...differing[folder.name], ...folder }));
}

function onDistributed({ folder, files }: Pick<Suite, 'folder' | 'files'>) {
  const again = onBothProfiles[folder];
  if (again === undefined) return [];
  const unwanted = again.without.map((name) => join(here, folder, `${name}${ending}`));
  return [
    {
      name: `${folder}-distributed`,
      folder,
      files: files.filter((file) => !unwanted.includes(file)),
      environment: { DAGUERRE_TEST_PROFILE: 'distributed' },
    },
  ];
}

/** `suite` takes all of it, `suite/begin` the files whose names begin so. Throws on what fits nothing. */
export function chosen(suites: readonly Suite[], wanted: readonly string[]): Suite[] {
  if (wanted.length === 0) return [...suites];
  for (const word of wanted)
    if (!suites.some((suite) => filesFor(suite, word).length > 0))
      throw new Error(
        `no test is called ${word}; the suites are ${suites.map(({ name }) => name).join(', ')}`,
      );
  return suites
    .map((suite) => ({
      ...suite,
      files: suite.files.filter((file) =>
        wanted.some((word) => filesFor(suite, word).includes(file)),
      ),
    }))
    .filter(({ files }) => files.length > 0);
}

function filesFor(suite: Suite, word: string): readonly string[] {
  const [name, ...rest] = word.split('/');
  if (name !== suite.name) return [];
  return suite.files.filter((file) => file.startsWith(join(here, suite.folder, rest.join('/'))));
}

function testFilesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));
}
