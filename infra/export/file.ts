import type { Format } from '../../domain/export/format.ts';
import type { ExportRecord } from '../../domain/export/record.ts';
import type { FileTarget } from '../config/export-targets.ts';
import { takeOver } from './found-part.ts';
import { beginPart } from './part.ts';
import type { Sink } from './sink.ts';

const mostAtOnce = 500;

/**
 * Lines of JSON in a directory. What is sent is durable before the cursor moves, and the file itself says up to where it
 * goes: a crash writes nothing twice, and a line that it tore is written again.
 */
export async function fileSink(
  { 'max-bytes': mostBytes, 'max-age-seconds': oldest }: FileTarget,
  directory: string,
  { document }: Format,
): Promise<Sink> {
  const found = await takeOver(directory);
  let { part } = found;

  const sealIfDue = async (): Promise<void> => {
    if (part === undefined) return;
    const age = Date.now() - part.openedAt;
    if (part.bytes < mostBytes && age < oldest * 1_000) return;
    await part.seal();
    part = undefined;
  };

  const write = async (lines: readonly Buffer[], records: readonly ExportRecord[]) => {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return;
    part ??= await beginPart(directory, { first: first.position, openedAt: Date.now() });
    await part.add(Buffer.concat(lines), { position: last.position, eventId: last.id });
    await sealIfDue();
  };

  return {
    most: mostAtOnce,
    reach: found.last,
    async send(records) {
      await sealIfDue();
      let from = 0;
      let lines: Buffer[] = [];
      let bytes = part?.bytes ?? 0;
      for (const [at, record] of records.entries()) {
        const line = Buffer.from(`${JSON.stringify(document(record))}\n`);
        lines.push(line);
        bytes += line.length;
        if (bytes < mostBytes) continue;
        await write(lines, records.slice(from, at + 1));
        [from, lines, bytes] = [at + 1, [], 0];
      }
      await write(lines, records.slice(from));
    },
    idle: sealIfDue,
    // A disk answers soon.
    hangUp() {},
    close: async () => part?.close(),
  };
}
