import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BulkDecider } from '../../domain/bulk/bulk.ts';
import type { BulkCommand } from '../../domain/bulk/commands.ts';
import { type BulkEvent, bulkStream } from '../../domain/bulk/events.ts';
import type { Bulk, PresentBulk } from '../../domain/bulk/state.ts';
import type { CommandContext } from '../../domain/command-handler.ts';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type NewEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { eventId } from '../../infra/event-id.ts';

/** A bulk import as of a revision of its stream. */
export interface BulkAt {
  readonly state: Bulk;
  readonly revision: number;
}

export interface HandledBulk extends BulkAt {
  readonly position: bigint;
}

/**
 * Decides on bulk imports. Their streams are long, and what is decided rests on little: whoever knows what an import was at
 * some revision, from the read model or from what it appended itself, has only what is newer read.
 */
export type HandleBulk = (
  importId: string,
  command: BulkCommand,
  context: CommandContext,
  from: BulkAt | undefined,
  deadline: AbortSignal,
) => Promise<HandledBulk>;

const longestPauseMs = 20;

export function handleBulk(
  log: Pick<EventLog, 'readStream' | 'append'>,
  decider: BulkDecider,
): HandleBulk {
  const pause = (): Promise<void> => delay(Math.random() * longestPauseMs);

  return async (importId, command, context, from, deadline) => {
    const stream = bulkStream(importId);
    let known: BulkAt = from ?? { state: decider.initial, revision: -1 };
    let unknown: AppendUnknown | undefined;
    for (;;) {
      try {
        const newer = await log.readStream(stream, known.revision);
        const state = (newer.events as unknown as readonly BulkEvent[]).reduce(
          decider.evolve,
          known.state,
        );
        known = { state, revision: newer.revision };
        const landed = newer.events.findLast(
          ({ metadata }) => metadata.causationId === context.commandId,
        );
        if (landed !== undefined) return { ...known, position: landed.position };
        const decided = decider.decide(command, state);
        if (decided.length === 0) return { ...known, position: newer.position };
        const events = newEvents(decided, context);
        const position = await log.append(stream, events, known.revision);
        return {
          state: decided.reduce(decider.evolve, state),
          revision: known.revision + events.length,
          position,
        };
      } catch (error) {
        if (error instanceof AppendUnknown) unknown = error;
        const again =
          error instanceof AppendUnknown ||
          error instanceof RevisionConflict ||
          (error instanceof LogUnavailable && unknown !== undefined);
        if (!again) throw error;
        if (deadline.aborted) throw unknown ?? error;
        await pause();
      }
    }
  };
}

export const newEvents = (
  decided: readonly BulkEvent[],
  { commandId, metadata }: CommandContext,
): readonly NewEvent[] =>
  decided.map(({ type, data }, index) => ({
    id: eventId(commandId, type, index),
    type,
    schemaVersion: 1,
    data: data as unknown as JsonObject,
    metadata: { ...metadata, causationId: commandId },
  }));

/** What a record of the read model amounts to. */
export const bulkAt = <Given extends PresentBulk & { readonly revision: number }>({
  revision,
  ...state
}: Given): BulkAt => ({ state, revision });

export const newContext = (metadata: CommandContext['metadata']): CommandContext => ({
  commandId: randomUUID(),
  metadata,
});
