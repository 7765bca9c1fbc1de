import { join, resolve } from 'node:path';
import { z } from 'zod';
import { nameList, networkList, portList } from './lists.ts';

/** What every store is told. */
interface Common {
  readonly id: string;
  readonly description: string;
  /** Reads prefer the store with the larger one. */
  readonly weight: number;
}

/** A directory of this machine, or one that all machines share. */
export interface FileStoreSettings extends Common {
  readonly type: 'file';
  /** Absolute. */
  readonly dir: string;
}

/** Bytes that others serve, at URLs that images name; nothing is ever written. */
export interface HttpStoreSettings extends Common {
  readonly type: 'http';
  readonly 'allowed-hosts': readonly string[];
  readonly 'disallowed-hosts': readonly string[];
  readonly 'allowed-ports': readonly number[];
  readonly 'disallowed-ports': readonly number[];
  readonly 'allowed-cidrs': readonly string[];
  readonly 'disallowed-cidrs': readonly string[];
  readonly 'timeout-ms': number;
}

export type StoreSettings = FileStoreSettings | HttpStoreSettings;

const word = /^[A-Za-z0-9][\w.-]{0,63}$/;
const common = {
  id: z
    .string({ error: 'id must be a name' })
    .regex(word, { error: 'id must be a name of letters, digits, dots, dashes and underscores' })
    .refine((id) => !id.startsWith('os_glance_'), { error: 'ids with os_glance_ are reserved' }),
  description: z.string({ error: 'description must be text' }).default(''),
  weight: z.int({ error: 'weight must be a whole number' }).default(0),
};

const unknownKeys = (known: readonly string[]) => ({
  error: (issue: { readonly code?: string; readonly keys?: readonly string[] }) =>
    issue.code === 'unrecognized_keys'
      ? `there is no ${issue.keys?.join(', no ')} of a store of this type, but ${known.join(', ')}`
      : undefined,
});

const ofFile = { ...common, type: z.literal('file'), dir: z.string().min(1).optional() };
const ofHttp = {
  ...common,
  type: z.literal('http'),
  'allowed-hosts': nameList.default([]),
  'disallowed-hosts': nameList.default([]),
  'allowed-ports': portList.default([80, 443]),
  'disallowed-ports': portList.default([]),
  'allowed-cidrs': networkList.default([]),
  'disallowed-cidrs': networkList.default([]),
  'timeout-ms': z.int({ error: 'timeout-ms must be milliseconds' }).min(100).default(30_000),
};

const store = z.discriminatedUnion(
  'type',
  [
    z.strictObject(ofFile, unknownKeys(Object.keys(ofFile))),
    z.strictObject(ofHttp, unknownKeys(Object.keys(ofHttp))),
  ],
  { error: 'type must be file or http' },
);

const list = z
  .array(store, { error: 'must be a list of stores' })
  .min(1, { error: 'must name one store at least' })
  .superRefine((stores, context) => {
    const ids = stores.map(({ id }) => id);
    for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at)))
      context.addIssue({ code: 'custom', message: `two stores have the id ${id}` });
  });

/** As the file has it, or as JSON, which is how a parent tells its children. */
export const storeList = z.preprocess((given) => {
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}, list);

/** The stores of a site in the order in which they are given; without any, one in `storeDir`. */
export function storesFrom(
  given: z.output<typeof storeList> | undefined,
  { dataDir, storeDir }: { readonly dataDir: string; readonly storeDir: string },
): readonly StoreSettings[] {
  const stores = given ?? [
    { id: 'file', type: 'file', description: '', weight: 0, dir: storeDir } as const,
  ];
  return stores.map((one) =>
    one.type === 'file' ? { ...one, dir: directoryOf(one, dataDir, storeDir) } : one,
  );
}

/** The store named `file` stays where it was while it was the only one. */
const directoryOf = (
  { id, dir }: { readonly id: string; readonly dir?: string | undefined },
  dataDir: string,
  storeDir: string,
): string =>
  dir !== undefined ? resolve(dir) : id === 'file' ? storeDir : join(dataDir, 'stores', id);

/** What is wrong with a choice of stores, one a line. */
export function storeProblems(
  stores: readonly StoreSettings[],
  defaultId: string | undefined,
): readonly string[] {
  const directories = stores.flatMap((one) => (one.type === 'file' ? [one.dir] : []));
  const shared = directories.filter((dir, at) => directories.indexOf(dir) !== at);
  const chosen = stores.find(({ id }) => id === defaultId);
  return [
    ...[...new Set(shared)].map((dir) => `stores: two stores have the directory ${dir}`),
    ...(defaultId === undefined ? ['stores: one of them must be of type file, for uploads'] : []),
    ...(defaultId !== undefined && chosen === undefined
      ? [`--default-store ${defaultId}: there is no such store, but ${idsOf(stores)}`]
      : []),
    ...(chosen?.type === 'http'
      ? [`--default-store ${chosen.id}: it is read-only, so no upload could go there`]
      : []),
  ];
}

/** Where uploads go that name no store, if the operator names none either. */
export const firstWritable = (stores: readonly StoreSettings[]): string | undefined =>
  stores.find(({ type }) => type === 'file')?.id;

const idsOf = (stores: readonly StoreSettings[]): string => stores.map(({ id }) => id).join(', ');
