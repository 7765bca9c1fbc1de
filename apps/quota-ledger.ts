import { setTimeout as delay } from 'node:timers/promises';
import type { CommandContext } from '../domain/command-handler.ts';
import { AppendUnknown, type EventLog, RevisionConflict } from '../domain/event-log.ts';
import type { QuotaEvent } from '../domain/quota/events.ts';
import { LimitsUnavailable } from '../domain/quota/limits.ts';
import { outcomeOf } from '../domain/quota/outcome.ts';
import {
  countedKey,
  type Doubt,
  doubtsOf,
  type Grounds,
  type Ledger,
  noneOpen,
  type QuotaCommand,
  quota,
  type Request,
} from '../domain/quota/quota.ts';
import { nothing, type Usage } from '../domain/quota/resources.ts';
import { Refused } from '../domain/refused.ts';
import { eventId } from '../infra/event-id.ts';
import type { Visible } from '../projections/images/images.ts';
import { projectStream } from '../projections/quota/fold.ts';
import type { Quotas } from '../projections/quota/quotas.ts';

export type Asked = Request | Exclude<QuotaCommand, Request>;

/** Decides on the quotas of projects, with the proof that is at the head of `domain/quota/quota.ts`. */
export interface QuotaLedger {
  /**
   * Gives the events that it came to, once they are in the log. Rejects with `Refused`, or as an append does. Much that
   * is asked of one project at once is decided together and appended as one.
   */
  ask(
    projectId: string,
    asked: Asked,
    context: CommandContext,
    deadline: AbortSignal,
  ): Promise<readonly QuotaEvent[]>;
  /** What is in flight by now. */
  look(projectId: string): Promise<Ledger>;
  /** What is used by now. Rejects with `LimitsUnavailable` when the read model is too far behind. */
  usage(projectId: string): Promise<Usage>;
}

export interface LedgerPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append' | 'head'>;
  readonly quotas: Pick<Quotas, 'usageOf' | 'ledgerOf'>;
  /** Of the read model that `quotas` are from. */
  readonly visible: Visible;
}

interface Wish {
  readonly asked: Asked;
  readonly context: CommandContext;
  readonly deadline: AbortSignal;
  resolve(events: readonly QuotaEvent[]): void;
  reject(error: unknown): void;
}

/** What this process knows of a project's stream: it is right when an append at `revision` succeeds. */
interface Known {
  readonly ledger: Ledger;
  readonly revision: number;
}

interface Account {
  known: Known | undefined;
  readonly wishes: Wish[];
  serving: boolean;
}

const mostAtOnce = 100;
const mostLookups = 8;
const mostAccounts = 1_000;
const visibleWithinMs = 5_000;

export function quotaLedger({ log, quotas, visible }: LedgerPorts): QuotaLedger {
  const accounts = new Map<string, Account>();

  /** The accounts used longest ago are forgotten: a snapshot and what is newer bring them back. */
  const accountOf = (projectId: string): Account => {
    const account = accounts.get(projectId) ?? { known: undefined, wishes: [], serving: false };
    accounts.delete(projectId);
    accounts.set(projectId, account);
    for (const [other, { serving }] of accounts) {
      if (accounts.size <= mostAccounts) break;
      if (!serving) accounts.delete(other);
    }
    return account;
  };

  const snapshotOf = async (projectId: string): Promise<Known> =>
    (await quotas.ledgerOf(projectId)) ?? { ledger: noneOpen, revision: -1 };

  /** Reads what is newer; gives the ids of it. */
  const catchUp = async (projectId: string, account: Account): Promise<ReadonlySet<string>> => {
    const from = account.known ?? (await snapshotOf(projectId));
    const { events, revision } = await log.readStream(projectStream(projectId), from.revision);
    const ledger = (events as unknown as readonly QuotaEvent[]).reduce(quota.evolve, from.ledger);
    account.known = { ledger, revision };
    return new Set(events.map(({ id }) => id));
  };

  /** Usage no older than a position. */
  const usageFrom = async (projectId: string, least: bigint) => {
    for (;;) {
      const read = await quotas.usageOf(projectId);
      if (read.position >= least) return read;
      await visible.waitFor(least, visibleWithinMs).catch((cause) => {
        throw new LimitsUnavailable(cause);
      });
    }
  };

  /** Of these, which are counted in usage at `position` already. */
  const lookUp = async (doubts: readonly Doubt[], position: bigint): Promise<readonly string[]> => {
    const counted: string[] = [];
    const rest = [...doubts];
    const worker = async (): Promise<void> => {
      for (let doubt = rest.pop(); doubt !== undefined; doubt = rest.pop()) {
        const { reservation, resource } = doubt;
        const { events } = await log.readStream(`image-${reservation.imageId}`);
        const outcome = outcomeOf(reservation, resource, events);
        if (outcome.kind === 'made' && outcome.position <= position)
          counted.push(countedKey(reservation.reservationId, resource));
      }
    };
    await Promise.all(Array.from({ length: mostLookups }, worker));
    return counted;
  };

  /** First by what is known here; before anything is refused, anew from the heads of the stream and of the log. */
  const decided = async (
    projectId: string,
    account: Account,
    wishes: readonly Wish[],
  ): Promise<{ readonly from: Known; readonly decisions: readonly Decision[] }> => {
    if (account.known === undefined) await catchUp(projectId, account);
    let from = account.known ?? { ledger: noneOpen, revision: -1 };
    const plain = decideAll(wishes, from.ledger, noGrounds(projectId));
    // What changes nothing may be about a reservation of another process, which is not known here yet.
    if (plain.some(({ wish, events }) => !isRequest(wish.asked) && events.length === 0)) {
      await catchUp(projectId, account);
      from = account.known ?? from;
    }
    if (!wishes.some(({ asked }) => isRequest(asked)))
      return { from, decisions: decideAll(wishes, from.ledger, noGrounds(projectId)) };
    let read = await usageFrom(projectId, from.ledger.horizon);
    let grounds: Grounds = { ...noGrounds(projectId), usage: read.usage };
    let decisions = decideAll(wishes, from.ledger, grounds);
    if (!decisions.some(isShort)) return { from, decisions };

    await catchUp(projectId, account);
    from = account.known ?? from;
    read = await usageFrom(projectId, await log.head());
    grounds = { ...grounds, usage: read.usage };
    const looked = new Set<string>();
    for (;;) {
      decisions = decideAll(wishes, from.ledger, grounds);
      const doubts = decisions
        .filter(isShort)
        .flatMap(({ wish, before }) =>
          doubtsOf(wish.asked as Request, before, grounds).filter(
            ({ reservation: { reservationId }, resource }) =>
              from.ledger.open.has(reservationId) &&
              !looked.has(countedKey(reservationId, resource)),
          ),
        );
      if (doubts.length === 0) return { from, decisions };
      const keys = new Map(
        doubts.map((doubt) => [countedKey(doubt.reservation.reservationId, doubt.resource), doubt]),
      );
      for (const key of keys.keys()) looked.add(key);
      const counted = await lookUp([...keys.values()], read.position);
      grounds = { ...grounds, counted: new Set([...grounds.counted, ...counted]) };
    }
  };

  /** Decides these wishes together and answers each; those that came too late by the time of a lost race are given up. */
  const serve = async (projectId: string, account: Account, wishes: Wish[]): Promise<void> => {
    let unknown: AppendUnknown | undefined;
    let sent: readonly Decision[] = [];
    for (let tries = 0; ; tries += 1) {
      try {
        const { from, decisions } = await decided(projectId, account, wishes);
        const events = decisions.flatMap(({ wish, events }) => newEvents(wish, events));
        if (events.length > 0) {
          sent = decisions;
          await log.append(projectStream(projectId), events, from.revision);
          const ledger = decisions.flatMap((one) => one.events).reduce(quota.evolve, from.ledger);
          account.known = { ledger, revision: from.revision + events.length };
        }
        answer(decisions);
        return;
      } catch (error) {
        if (error instanceof AppendUnknown) unknown = error;
        else if (!(error instanceof RevisionConflict) && unknown === undefined) {
          for (const { reject } of wishes) reject(error);
          return;
        }
        const late = wishes.filter(({ deadline }) => deadline.aborted);
        for (const { reject } of late) reject(unknown ?? error);
        if (late.length === wishes.length) return;
        wishes = wishes.filter((wish) => !late.includes(wish));
      }
      await delay(Math.random() * Math.min(4 * 2 ** tries, 100));
      const newer = await catchUp(projectId, account).catch(() => undefined);
      const ids = sent.flatMap(({ wish, events }) => newEvents(wish, events)).map(({ id }) => id);
      if (unknown !== undefined && ids.some((id) => newer?.has(id))) {
        answer(sent);
        return;
      }
    }
  };

  const run = async (projectId: string, account: Account): Promise<void> => {
    account.serving = true;
    // Whatever else this turn of the event loop asks goes along.
    await new Promise(setImmediate);
    while (account.wishes.length > 0)
      await serve(projectId, account, account.wishes.splice(0, mostAtOnce));
    account.serving = false;
  };

  return {
    ask(projectId, asked, context, deadline) {
      return new Promise((resolve, reject) => {
        const account = accountOf(projectId);
        account.wishes.push({ asked, context, deadline, resolve, reject });
        if (!account.serving) void run(projectId, account);
      });
    },
    async look(projectId) {
      const account = accountOf(projectId);
      const from = account.known ?? (await snapshotOf(projectId));
      const { events } = await log.readStream(projectStream(projectId), from.revision);
      return (events as unknown as readonly QuotaEvent[]).reduce(quota.evolve, from.ledger);
    },
    async usage(projectId) {
      return (await usageFrom(projectId, await log.head())).usage;
    },
  };
}

/** What one wish came to, after those before it. */
interface Decision {
  readonly wish: Wish;
  /** As it found the ledger. */
  readonly before: Ledger;
  readonly events: readonly QuotaEvent[];
  readonly refused: Refused | undefined;
}

function decideAll(wishes: readonly Wish[], start: Ledger, grounds: Grounds): readonly Decision[] {
  let before = start;
  return wishes.map((wish) => {
    const decision = decideOne(wish, before, grounds);
    before = decision.events.reduce(quota.evolve, before);
    return decision;
  });
}

function decideOne(wish: Wish, before: Ledger, grounds: Grounds): Decision {
  const { asked } = wish;
  try {
    const command = isRequest(asked) ? { ...asked, grounds } : asked;
    return { wish, before, events: quota.decide(command, before), refused: undefined };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { wish, before, events: [], refused: error };
  }
}

const isRequest = (asked: Asked): asked is Request =>
  asked.type === 'Reserve' || asked.type === 'Extend';

const isShort = ({ refused }: Decision): boolean => refused !== undefined;

const noGrounds = (projectId: string): Grounds => ({
  projectId,
  usage: nothing,
  counted: new Set(),
});

function answer(decisions: readonly Decision[]): void {
  for (const { wish, events, refused } of decisions)
    if (refused === undefined) wish.resolve(events);
    else wish.reject(refused);
}

const newEvents = ({ context }: Wish, events: readonly QuotaEvent[]) =>
  events.map(({ type, data }, index) => ({
    id: eventId(context.commandId, type, index),
    type,
    schemaVersion: 1,
    data: data as never,
    metadata: { ...context.metadata, causationId: context.commandId },
  }));
