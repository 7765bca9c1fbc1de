import type { Viewer } from '../../domain/image/visibility.ts';
import type { WebhookFilter } from '../../domain/webhook/events.ts';
import {
  type EventFilter,
  type Events,
  isToldTo,
  isWanted,
  type Told,
} from '../../projections/events/events.ts';
import { type Fact, factOf, type Recent } from '../gateway/events/recent.ts';

const pageLimit = 200;

/** Some facts for one reader, and up to where these are all. */
export type ReadFacts = (
  after: bigint,
  limit: number,
) => Promise<{ readonly facts: readonly Fact[]; readonly next: bigint }>;

/** From memory where the reader is near the end, otherwise from the read model. */
export function factsFor(
  { recent, events, region }: { recent: Recent; events: Events; region: string },
  viewer: Viewer,
  { types, images }: WebhookFilter,
): ReadFacts {
  const [only] = images ?? [];
  const filter: EventFilter = {
    types: types ?? undefined,
    image: images?.length === 1 ? only : undefined,
  };
  const streams = images === null ? undefined : new Set(images.map((id) => `image-${id}`));
  const isAsked = (told: Told): boolean =>
    isWanted(told, filter) && (streams === undefined || streams.has(told.event.streamId));

  return async (after, limit) => {
    const { upTo } = recent;
    const near = recent.since(after);
    if (near !== undefined) {
      const mine = near.filter(({ told }) => isToldTo(told, viewer) && isAsked(told));
      const facts = mine.slice(0, limit);
      const isCut = facts.length < mine.length;
      return { facts, next: isCut ? (facts.at(-1)?.told.event.position ?? after) : upTo };
    }
    const most = Math.min(limit, pageLimit);
    const page = await events.page({ viewer, filter, after, upTo, limit: most });
    const facts = page.events.filter(isAsked).map((told) => factOf(told, region));
    return { facts, next: page.next };
  };
}
