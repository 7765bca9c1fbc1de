import type { BulkItem } from '../../domain/bulk/events.ts';

/** Whoever asked uploads by himself: no host is asked. */
export const noHost = '';

/** The items of an import that are not begun, by the host that they come from. */
export interface WaitingItems {
  /** Hosts that something may come from. */
  hosts(): Iterable<string>;
  /** The next one from a host, which is not waiting any more. */
  take(host: string): number | undefined;
  /** Looks for what is to be begun again. */
  renew(): void;
}

/** `isToDo` says what is neither settled nor in work. */
export function waitingItems(
  items: readonly BulkItem[],
  isToDo: (place: number) => boolean,
): WaitingItems {
  const hostOf = items.map(({ source }) =>
    source.kind === 'client' ? noHost : (URL.parse(source.uri)?.host ?? source.uri),
  );
  let byHost = new Map<string, number[]>();

  const renew = (): void => {
    byHost = new Map();
    for (let place = items.length - 1; place >= 0; place -= 1) {
      if (!isToDo(place)) continue;
      const host = hostOf[place] ?? noHost;
      const places = byHost.get(host);
      if (places === undefined) byHost.set(host, [place]);
      else places.push(place);
    }
  };
  renew();

  return {
    renew,
    hosts: () => byHost.keys(),
    take(host) {
      const places = byHost.get(host);
      for (;;) {
        const place = places?.pop();
        if (places?.length === 0) byHost.delete(host);
        if (place === undefined || isToDo(place)) return place;
      }
    },
  };
}
