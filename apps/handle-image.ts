import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import {
  type CommandContext,
  commandHandler,
  type Handled,
  type LeftStreams,
} from '../domain/command-handler.ts';
import type { EventLog } from '../domain/event-log.ts';
import type { ImageCommand } from '../domain/image/commands.ts';
import { type ImageDecider, image } from '../domain/image/image.ts';
import { type Image, isThere } from '../domain/image/state.ts';
import { schemaVersions } from '../domain/image/upcast.ts';
import { eventId } from '../infra/event-id.ts';

/** Decides a command on an image and appends what follows. Rejects with `Refused`, or with the log's errors. */
export type HandleImage = (
  streamId: string,
  command: ImageCommand,
  context: CommandContext,
  deadline: AbortSignal,
) => Promise<Handled<Image>>;

const shortestPauseMs = 2;
const longestPauseMs = 20;

/** Rivals that lost a race to one another must not meet again. */
export const pause = (): Promise<void> =>
  delay(shortestPauseMs + Math.random() * (longestPauseMs - shortestPauseMs));

/** Characters of what clients can make large. */
const mostKept = 8 * 1024 * 1024;
const ownWeight = 512;
/** A log that came back older than it was is not taken for what it was for longer. */
const keptForMs = 30_000;

const weightOf = (state: Image): number => {
  if (!isThere(state)) return ownWeight;
  let weight = ownWeight + 100 * state.members.length;
  for (const [name, value] of Object.entries(state.properties))
    weight += name.length + value.length;
  for (const tag of state.tags) weight += tag.length;
  return weight;
};

/** Images as this process left them lately. */
export const leftImages = (): LeftStreams<Image> =>
  new LRUCache({
    maxSize: mostKept,
    ttl: keptForMs,
    sizeCalculation: ({ state }) => weightOf(state),
  });

/** The pipeline asks no rules, so it may go without a decider of the operator's. */
export const handleImage = (
  log: Pick<EventLog, 'readStream' | 'append'>,
  decider: ImageDecider = image,
  left: LeftStreams<Image> = leftImages(),
): HandleImage => commandHandler(decider, { log, eventId, schemaVersions, pause, left });
