import { type Attempt, isDelivered, type Kept, type ProgressStore } from './progress-store.ts';

/** The same in memory. */
export function memoryProgress(): ProgressStore {
  const rows = new Map<string, { owner: string; kept: Kept; deliveredAt: Date | null }>();
  const all: { number: bigint; webhookId: string; attempt: Attempt }[] = [];
  const add = (webhookId: string, attempt: Attempt): void => {
    all.push({ number: BigInt(all.length + 1), webhookId, attempt });
  };
  return {
    async claim(webhookId, owner, otherwise) {
      const row = rows.get(webhookId) ?? { kept: otherwise, deliveredAt: null };
      rows.set(webhookId, { ...row, owner });
      return row.kept;
    },
    async save(webhookId, owner, kept, attempts) {
      const row = rows.get(webhookId);
      if (row !== undefined && row.owner !== owner) return false;
      const deliveredAt = attempts.filter(isDelivered).at(-1)?.at ?? row?.deliveredAt ?? null;
      rows.set(webhookId, { owner, kept, deliveredAt });
      for (const attempt of attempts) add(webhookId, attempt);
      return true;
    },
    record: async (webhookId, attempt) => add(webhookId, attempt),
    attempts: async (webhookId, { eventId, delivered, below, limit }) =>
      all
        .filter((one) => one.webhookId === webhookId)
        .filter(({ attempt }) => eventId === undefined || attempt.eventId === eventId)
        .filter(({ attempt }) => delivered === undefined || isDelivered(attempt) === delivered)
        .filter(({ number }) => below === undefined || number < below)
        .reverse()
        .slice(0, limit)
        .map(({ number, attempt }) => ({ ...attempt, number })),
    standings: async () =>
      [...rows].map(([webhookId, { kept, deliveredAt }]) => ({
        webhookId,
        cursor: kept.saved.cursor,
        failing: kept.saved.failing.length,
        deliveredAt,
      })),
    async prune(webhookIds) {
      for (const webhookId of rows.keys())
        if (!webhookIds.includes(webhookId)) rows.delete(webhookId);
    },
  };
}
