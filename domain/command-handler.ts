import type { Decider } from './decider.ts';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type Metadata,
  type NewEvent,
  RevisionConflict,
  type StreamSlice,
} from './event-log.ts';
import type { JsonObject } from './json.ts';

/** What every event of one command shares. */
export interface CommandContext {
  /** UUID. The same id again means the same command tried again: its events get the same ids. */
  readonly commandId: string;
  readonly metadata: Omit<Metadata, 'causationId'>;
}

export interface Handled<State> {
  /** Of the command's last event, or of the stream as read when nothing changed. Wait for it before answering. */
  readonly position: bigint;
  /** The stream's state after the command. */
  readonly state: State;
  /** Whether the command is in the stream: false when there was nothing to add. */
  readonly changed: boolean;
}

interface TypedEvent {
  readonly type: string;
  readonly data: object;
  /** The policy rule that allowed it, where it is not the command's. */
  readonly rule?: string;
}

export interface HandlerPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  /** UUIDv5 of (command, type, index). */
  readonly eventId: (commandId: string, type: string, index: number) => string;
  /** Newest schema version per event type; 1 where absent. */
  readonly schemaVersions: Readonly<Record<string, number>>;
  /** Some milliseconds by chance, before a lost race or a log out of reach is tried again. */
  readonly pause: () => Promise<void>;
}

/**
 * Load, decide, append. A lost race is decided again on fresh state until `deadline` aborts. When the answer to an
 * append was lost, the stream is searched for the command's own events first: a retry never refuses its own success.
 */
export function commandHandler<State, Command, Event extends TypedEvent>(
  decider: Decider<State, Command, Event>,
  ports: HandlerPorts,
) {
  const newEvents = (decided: readonly Event[], context: CommandContext): NewEvent[] =>
    decided.map(({ type, data, rule = context.metadata.rule }, index) => ({
      id: ports.eventId(context.commandId, type, index),
      type,
      schemaVersion: ports.schemaVersions[type] ?? 1,
      data: data as JsonObject,
      metadata: {
        ...context.metadata,
        ...(rule === undefined ? {} : { rule }),
        causationId: context.commandId,
      },
    }));

  const fold = (slice: StreamSlice): State =>
    slice.events.reduce(
      (state, event) => decider.evolve(state, event as unknown as Event),
      decider.initial,
    );

  return async function handle(
    streamId: string,
    command: Command,
    context: CommandContext,
    deadline: AbortSignal,
  ): Promise<Handled<State>> {
    const sent = new Set<string>();
    let unknown: AppendUnknown | undefined;
    for (;;) {
      let slice: StreamSlice;
      try {
        slice = await ports.log.readStream(streamId);
      } catch (error) {
        if (!isRetriable(error, unknown)) throw error;
        if (deadline.aborted) throw unknown ?? error;
        await ports.pause();
        continue;
      }
      const state = fold(slice);
      const landed = slice.events.findLast((event) => sent.has(event.id));
      if (landed) return { position: landed.position, state, changed: true };
      const decided = decider.decide(command, state);
      if (decided.length === 0) return { position: slice.position, state, changed: false };
      const events = newEvents(decided, context);
      try {
        const position = await ports.log.append(streamId, events, slice.revision);
        return { position, state: decided.reduce(decider.evolve, state), changed: true };
      } catch (error) {
        if (error instanceof AppendUnknown) {
          unknown = error;
          for (const event of events) sent.add(event.id);
        } else if (!isRetriable(error, unknown)) throw error;
        if (deadline.aborted) throw unknown ?? error;
        await ports.pause();
      }
    }
  };
}

/** Once something was sent, "cannot be reached" must not be told as "nothing was appended". */
const isRetriable = (error: unknown, unknown: AppendUnknown | undefined): boolean =>
  error instanceof RevisionConflict || (unknown !== undefined && error instanceof LogUnavailable);
