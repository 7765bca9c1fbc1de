import type { Access } from '../../../domain/image/access.ts';
import type { JsonObject } from '../../../domain/json.ts';
import type {
  HistoryFilter,
  HistoryPage,
  HistoryQuery,
} from '../../../projections/history/history.ts';
import type { GatewayContext } from '../call.ts';
import { type Parameters, queryStringOf } from '../wire/query-string.ts';
import { changeDocument, type HistoryReader } from './documents.ts';
import { type HistoryPorts, upToNow, viewerOf } from './ports.ts';
import { rangeFrom } from './query.ts';

/** What one request looks through at most for changes that are rare; the next goes on. */
const mostLooks = 20;

export const readerOf = (
  ports: Pick<HistoryPorts, 'access'>,
  access: Access,
  caller: GatewayContext['call']['caller'],
): HistoryReader => ({
  ...viewerOf(ports.access, caller),
  isReadable: (property) => access.ruleAgainst('read', property, caller) === undefined,
});

/**
 * A page of a history: `next` is there until everything was looked at, so that a page may be short, or empty, and have
 * one. `position` is up to where everything is in this page and those before, or was not asked for.
 */
export async function historyPage(
  ports: HistoryPorts,
  reader: HistoryReader,
  { path, parameters, filter }: { path: string; parameters: Parameters; filter: HistoryFilter },
): Promise<{ readonly page: HistoryPage; readonly document: JsonObject }> {
  const { from, to, ...range } = rangeFrom(parameters);
  let upTo = await upToNow(ports);
  if (range.upTo < upTo) upTo = range.upTo;
  const query = { ...range, viewer: reader, filter: { ...filter, from, to }, upTo };
  const page = await firstFound(ports, query);
  const hashes = page.changes.flatMap(({ metadata }) => metadata.personal ?? []);
  const persons = await ports.people.behind(hashes);
  const unmarked = parameters.filter(([name]) => name !== 'marker');
  const document = {
    changes: page.changes.map((change) => changeDocument(change, reader, persons)),
    position: String(page.next),
    first: link(path, unmarked),
    ...(page.next < upTo ? { next: link(path, [...unmarked, ['marker', String(page.next)]]) } : {}),
  };
  return { page, document };
}

export const link = (path: string, parameters: Parameters): string =>
  parameters.length === 0 ? path : `${path}?${queryStringOf(parameters)}`;

/** A page with something on it, or the end, or how far it was looked in vain. */
async function firstFound({ changes }: HistoryPorts, query: HistoryQuery): Promise<HistoryPage> {
  let page = await changes.page(query);
  for (let looks = 1; page.changes.length === 0 && looks < mostLooks; looks += 1) {
    if (page.next >= query.upTo) break;
    page = await changes.page({ ...query, after: page.next });
  }
  return page;
}
