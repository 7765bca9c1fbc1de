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

/** What a command comes to on a stream as it was read, or left. */
interface Attempt<State, Event> extends Left<State> {
  readonly decided: readonly Event[];
}

interface TypedEvent {
  readonly type: string;
  readonly data: object;
  /** The policy rule that allowed it, where it is not the command's. */
  readonly rule?: string;
}

/** A stream as this process left it. Others may have gone on from there. */
export interface Left<State> {
  readonly revision: number;
  readonly state: State;
}

/** Where streams were left lately, by stream. */
export interface LeftStreams<State> {
  get(streamId: string): Left<State> | undefined;
  set(streamId: string, left: Left<State>): unknown;
  delete(streamId: string): unknown;
}

export interface HandlerPorts<State> {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  /** UUIDv5 of (command, type, index). */
  readonly eventId: (commandId: string, type: string, index: number) => string;
  /** Newest schema version per event type; 1 where absent. */
  readonly schemaVersions: Readonly<Record<string, number>>;
  /** Some milliseconds by chance, before a lost race or a log out of reach is tried again. */
  readonly pause: () => Promise<void>;
  /** Spares the reading of streams that nobody else has changed. */
  readonly left?: LeftStreams<State>;
}

/**
 * Load, decide, append. A lost race is decided again on fresh state until `deadline` aborts. When the answer to an
 * append was lost, the stream is searched for the command's own events first: a retry never refuses its own success.
 * A stream that was left lately is not read: the append itself finds out whether it has changed since, and whatever
 * would be refused, or change nothing, is decided again on what is read.
 */
export function commandHandler<State, Command, Event extends TypedEvent>(
  decider: Decider<State, Command, Event>,
  ports: HandlerPorts<State>,
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

  const append = async (
    streamId: string,
    events: readonly NewEvent[],
    { revision, state, decided }: Attempt<State, Event>,
  ): Promise<Handled<State>> => {
    try {
      const position = await ports.log.append(streamId, events, revision);
      const after = decided.reduce(decider.evolve, state);
      ports.left?.set(streamId, { revision: revision + events.length, state: after });
      return { position, state: after, changed: true };
    } catch (error) {
      ports.left?.delete(streamId);
      throw error;
    }
  };

  /** What follows for the stream as it was left; undefined where that is to be found out from the stream itself. */
  const earlyAttempt = (streamId: string, command: Command): Attempt<State, Event> | undefined => {
    const left = ports.left?.get(streamId);
    if (left === undefined) return undefined;
    try {
      const decided = decider.decide(command, left.state);
      return decided.length === 0 ? undefined : { ...left, decided };
    } catch {
      return undefined;
    }
  };

  return async function handle(
    streamId: string,
    command: Command,
    context: CommandContext,
    deadline: AbortSignal,
  ): Promise<Handled<State>> {
    const sent = new Set<string>();
    let unknown: AppendUnknown | undefined;
    for (let early = earlyAttempt(streamId, command); ; early = undefined) {
      let attempt = early;
      if (attempt === undefined) {
        let slice: StreamSlice;
        try {
          slice = await ports.log.readStream(streamId);
        } catch (error) {
          if (!isRetriable(error, unknown)) throw error;
          if (deadline.aborted) throw unknown ?? error;
          await ports.pause();
          continue;
        }
        const { revision, position } = slice;
        const state = fold(slice);
        const landed = slice.events.findLast((event) => sent.has(event.id));
        if (landed) return { position: landed.position, state, changed: true };
        const decided = decider.decide(command, state);
        if (decided.length === 0) return { position, state, changed: false };
        attempt = { revision, state, decided };
      }
      const events = newEvents(attempt.decided, context);
      try {
        return await append(streamId, events, attempt);
      } catch (error) {
        if (error instanceof AppendUnknown) {
          unknown = error;
          for (const event of events) sent.add(event.id);
        } else if (!isRetriable(error, unknown)) throw error;
        if (deadline.aborted) throw unknown ?? error;
        // Only who lost to a rival on what was read must not meet it again.
        if (early === undefined) await ports.pause();
      }
    }
  };
}

/** Once something was sent, "cannot be reached" must not be told as "nothing was appended". */
const isRetriable = (error: unknown, unknown: AppendUnknown | undefined): boolean =>
  error instanceof RevisionConflict || (unknown !== undefined && error instanceof LogUnavailable);
