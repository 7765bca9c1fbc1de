import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { imageBundle, logBundle } from '../../infra/audit/bundle.ts';
import { checkpointFrom } from '../../infra/audit/checkpoint.ts';
import type { SignedHead } from '../../infra/audit/memory.ts';
import { parsedNote } from '../../infra/audit/note.ts';
import { reportText, verifyBundle } from '../../infra/audit/verifier.ts';
import { isUuid } from '../../infra/files/files.ts';
import type { AuditArguments } from './audit-arguments.ts';
import type { AuditTools } from './audit-tools.ts';
import { UsageError } from './command.ts';

/** Writes a bundle to a file, or to standard output; gives what to say of it. */
export async function writeBundle(tools: AuditTools, given: AuditArguments): Promise<string> {
  const head = await tools.newest();
  const earlier = await earlierSizes(given, head);
  const lines = await linesOf(tools, head, given, earlier);
  const output = given.last('output');
  let count = 0;
  const text = async function* () {
    for await (const line of lines) {
      count += 1;
      yield `${line}\n`;
    }
  };
  if (output === undefined) {
    for await (const line of text()) process.stdout.write(line);
    return '';
  }
  await pipeline(Readable.from(text()), createWriteStream(output));
  return `${output}: ${count} lines, by the checkpoint of ${head.size} events`;
}

async function linesOf(
  { ports, store }: AuditTools,
  head: SignedHead,
  given: AuditArguments,
  earlier: readonly number[],
): Promise<AsyncIterable<string>> {
  const [, image] = given.words;
  const [from, to] = [positionFrom(given, 'from'), positionFrom(given, 'to')];
  if (image !== undefined) {
    if (!isUuid(image)) throw new UsageError(`${image} is not the id of an image`);
    return imageBundle(ports, head, image.toLowerCase(), { earlier });
  }
  if (!given.has('all') && from === undefined && to === undefined)
    throw new UsageError('say which image, --all, or --from and --to');
  const upTo = to === undefined || to > head.position ? head.position : to;
  return logBundle(ports, head, {
    from: from === undefined ? 0 : await store.leavesUpTo(from - 1n),
    to: await store.leavesUpTo(upTo),
    earlier,
  });
}

function positionFrom(given: AuditArguments, name: 'from' | 'to'): bigint | undefined {
  const text = given.last(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,18}$/.test(text)) throw new UsageError(`--${name} must be a position, not ${text}`);
  return BigInt(text);
}

/** Of checkpoints that the reader has, by size or as files. */
const earlierSizes = (given: AuditArguments, head: SignedHead): Promise<readonly number[]> =>
  Promise.all(
    given.all('since').map(async (text) => {
      const size = /^\d{1,15}$/.test(text)
        ? Number(text)
        : checkpointFrom(parsedNote(await readFile(text, 'utf8')).text).size;
      if (size <= head.size) return size;
      throw new UsageError(`--since: ${size} events were never signed here, ${head.size} are`);
    }),
  );

/** Needs no database: the file, the keys, and checkpoints that were kept. Gives the exit code. */
export async function verifyFile(given: AuditArguments): Promise<number> {
  const [, path] = given.words;
  const keys = given.all('key');
  if (path === undefined || keys.length === 0)
    throw new UsageError('say which bundle, and --key with a public key that you trust');
  const seen = await Promise.all(given.all('seen').map((file) => readFile(file, 'utf8')));
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  try {
    const report = await verifyBundle(lines, { keys, seen });
    process.stdout.write(reportText(report));
    return report.ok ? 0 : 1;
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}
