import { inspect } from 'node:util';

/** What the test command wants to know of one suite's run, one JSON document a line. */
export type Said =
  | ({ readonly kind: 'passed' | 'failed'; readonly name: string; readonly file: string } & {
      readonly ms: number;
      readonly why: string;
    })
  /** What a file wrote to its output. */
  | { readonly kind: 'wrote'; readonly file: string; readonly text: string }
  /** What a test gave as a diagnostic. */
  | { readonly kind: 'noted'; readonly text: string };

/** What of Node's test events is used here. */
interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly nesting?: number;
    readonly file?: string;
    readonly message?: string;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: {
      readonly type?: string;
      readonly duration_ms?: number;
      readonly error?: Error & { readonly cause?: unknown; readonly failureType?: string };
    };
  };
}

/** A reporter for `node --test`. A skipped test has failed: nothing is left out in silence. */
export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const above: string[] = [];
  for await (const { type, data } of events) {
    const { name = '', nesting = 0, file = '' } = data;
    if (type === 'test:start') above.length = nesting;
    if (type === 'test:start') above[nesting] = name;
    if (type === 'test:stdout' || type === 'test:stderr')
      yield line({ kind: 'wrote', file, text: data.message ?? '' });
    // The runner's own diagnostics, its counts, come from no file.
    if (type === 'test:diagnostic' && file !== '')
      yield line({ kind: 'noted', text: data.message ?? '' });
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const said = verdict(type === 'test:pass', data, [...above.slice(0, nesting), name]);
    if (said !== undefined) yield line(said);
  }
}

function verdict(
  passed: boolean,
  { name = '', file = '', skip, todo, details }: TestEvent['data'],
  names: readonly string[],
): Said | undefined {
  const error = details?.error;
  const told = {
    name: names.join(' › '),
    file,
    ms: details?.duration_ms ?? 0,
  };
  const left = (skip ?? todo) !== undefined && (skip ?? todo) !== false;
  if (left) return { ...told, kind: 'failed', why: `left out: ${skip ?? todo}` };
  if (name === file && passed) return { ...told, kind: 'failed', why: 'this file holds no test' };
  // A group failed because a test in it did, which has been told.
  if (error?.failureType === 'subtestsFailed') return undefined;
  if (!passed) return { ...told, kind: 'failed', why: inspect(error?.cause ?? error) };
  return details?.type === 'suite' ? undefined : { ...told, kind: 'passed', why: '' };
}

const line = (said: Said): string => `${JSON.stringify(said)}\n`;
