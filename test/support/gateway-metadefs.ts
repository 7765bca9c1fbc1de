import type { EventLog } from '../../domain/event-log.ts';
import { isNamespaceVisibleTo } from '../../domain/metadef/access.ts';
import { fold, type MetadefParts, namespaceIdOf } from '../../projections/metadefs/fold.ts';
import type { Metadefs, NamespaceQuery } from '../../projections/metadefs/metadefs.ts';
import type { NamespaceRecord } from '../../projections/metadefs/record.ts';
import type { Entry } from '../../projections/projection.ts';

/** The read model over a log in memory: folded anew for every question. */
export function memoryMetadefs(log: Pick<EventLog, 'readAll'>): Metadefs {
  const entries = async (): Promise<readonly Entry<MetadefParts>[]> => {
    const byId = new Map<string, Entry<MetadefParts>>();
    for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
      const id = namespaceIdOf(event);
      if (id !== undefined) byId.set(id, fold(byId.get(id) ?? {}, event));
    }
    return [...byId.values()];
  };
  const records = async (): Promise<readonly NamespaceRecord[]> =>
    (await entries()).flatMap(({ namespace, content }) =>
      namespace === undefined || content === undefined ? [] : [{ ...namespace, ...content }],
    );
  return {
    show: async (name) => (await records()).find(({ namespace }) => namespace === name),
    async list(query) {
      const sorted = (await records()).filter((record) => fits(record, query)).sort(order(query));
      const marker = sorted.findIndex(({ namespace }) => namespace === query.marker);
      return sorted.slice(marker + 1, marker + 1 + query.limit);
    },
    async resourceTypes() {
      const types = new Map<string, Date>();
      for (const { types: own } of await entries())
        for (const { name, createdAt } of own?.types ?? [])
          if (new Date(createdAt) < (types.get(name) ?? new Date(8.64e15)))
            types.set(name, new Date(createdAt));
      return [...types].map(([name, createdAt]) => ({ name, createdAt })).sort(byName);
    },
    names: async () => (await records()).map(({ namespace }) => namespace).sort(),
  };
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

const fits = (record: NamespaceRecord, { viewer, visibility, resourceTypes }: NamespaceQuery) =>
  isNamespaceVisibleTo(record, viewer) &&
  (visibility === undefined || record.visibility === visibility) &&
  (resourceTypes === undefined ||
    record.associations.some(({ name }) => resourceTypes.includes(name)));

function order({ sort }: NamespaceQuery) {
  const sign = sort.direction === 'asc' ? 1 : -1;
  const keysOf = (record: NamespaceRecord): readonly string[] => {
    const first = {
      created_at: '',
      updated_at: record.updatedAt.toISOString(),
      id: record.id,
      namespace: record.namespace,
      display_name: record.displayName ?? '',
      description: record.description ?? '',
      visibility: record.visibility,
      protected: String(record.protected),
      owner: record.owner ?? '',
    }[sort.key];
    return [first, record.createdAt.toISOString(), record.id];
  };
  return (a: NamespaceRecord, b: NamespaceRecord): number => {
    const others = keysOf(b);
    const [one, other] = keysOf(a)
      .map((key, index) => [key, others[index] ?? ''] as const)
      .find(([key, another]) => key !== another) ?? ['', ''];
    return one < other ? -sign : sign;
  };
}
