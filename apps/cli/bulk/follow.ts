import { setTimeout as delay } from 'node:timers/promises';
import { type Api, Refusal } from './api.ts';
import { type ImportDocument, type ItemDocument, isOver, nameOf } from './documents.ts';
import { progressView, type Screen, type View } from './view.ts';

const path = '/bulk/v1/imports';
const everyMs = 1_000;
const patienceMs = 120_000;
const mostFailures = 20;

export const terminal = (): Screen => ({
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  rows: process.stdout.rows ?? 24,
  write: (text) => void process.stdout.write(text),
});

/** Shows an import until it is over or the signal aborts; gives how it was last. A service that is away is waited for. */
export async function follow(
  api: Api,
  importId: string,
  signal: AbortSignal,
  view: View = progressView(terminal()),
): Promise<ImportDocument | undefined> {
  let last: ImportDocument | undefined;
  let heardAt = performance.now();
  while (!signal.aborted) {
    try {
      last = await api.json<ImportDocument>(`${path}/${importId}`, { signal });
      heardAt = performance.now();
      view.show(last, heardAt);
      if (isOver(last)) break;
    } catch (error) {
      if (signal.aborted) break;
      const isAnswer = error instanceof Refusal && error.status < 500;
      if (isAnswer || performance.now() - heardAt > patienceMs) throw error;
    }
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
  view.end();
  return last;
}

/** What failed and why, as far as anybody reads it; the report has all of it. */
export async function failuresOf(api: Api, { id, counts }: ImportDocument): Promise<string[]> {
  const failed = counts.failed ?? 0;
  if (failed === 0) return [];
  const { items } = await api.json<{ readonly items: readonly ItemDocument[] }>(
    `${path}/${id}/items?status=failed&limit=${mostFailures}`,
  );
  const lines = items.map(
    (item) => `  ${item.item + 1}. ${nameOf(item)}: ${item.reason}: ${item.message ?? ''}`,
  );
  const more = failed > items.length ? [`  and ${failed - items.length} more`] : [];
  return [`${failed} failed:`, ...lines, ...more, `All of it: daguerre imports report ${id}`];
}
