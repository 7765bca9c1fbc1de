import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandContext, commandHandler, type Handled } from '../domain/command-handler.ts';
import type { EventLog } from '../domain/event-log.ts';
import type { ChangeCommand, Party } from '../domain/metadef/commands.ts';
import type { NamespaceContent } from '../domain/metadef/content.ts';
import {
  type Name,
  type NameClaim,
  name as nameDecider,
  nameStream,
  namespaceStream,
  standing,
} from '../domain/metadef/names.ts';
import { duplicate, type NamespaceDecider } from '../domain/metadef/namespace.ts';
import type { Namespace } from '../domain/metadef/state.ts';
import { metadefSchemaVersions } from '../domain/metadef/upcast.ts';
import { Refused } from '../domain/refused.ts';
import { eventId } from '../infra/event-id.ts';

/** Decides commands on namespaces, which are known by name, and appends what follows. Rejects with `Refused`, or with the log's errors. */
export interface HandleMetadefs {
  create(by: Party, content: NamespaceContent, run: Run): Promise<Handled<Namespace>>;
  change(command: ChangeCommand, run: Run): Promise<Handled<Namespace>>;
  /** Undefined when no namespace has this name. */
  find(name: string): Promise<Handled<Namespace> | undefined>;
}

/** What all appends of one command share. */
export interface Run {
  readonly metadata: CommandContext['metadata'];
  readonly deadline: AbortSignal;
}

const shortestPauseMs = 2;
const longestPauseMs = 20;
/** How often an open claim is looked at before it is taken for a dead one's. */
const patience = 25;

const pause = (): Promise<void> =>
  delay(shortestPauseMs + Math.random() * (longestPauseMs - shortestPauseMs));

export function handleMetadefs(
  log: Pick<EventLog, 'readStream' | 'append'>,
  decider: NamespaceDecider,
): HandleMetadefs {
  const ports = { log, eventId, schemaVersions: metadefSchemaVersions, pause };
  const handle = commandHandler(decider, ports);
  const handleName = commandHandler(nameDecider, ports);
  const contextOf = ({ metadata }: Run): CommandContext => ({ commandId: randomUUID(), metadata });

  const read = async (namespaceId: string): Promise<Handled<Namespace>> => {
    const { events, position } = await log.readStream(namespaceStream(namespaceId));
    const state = events.reduce(
      (before, event) => decider.evolve(before, event as never),
      decider.initial,
    );
    return { state, position, changed: false };
  };
  const stateOf = async (namespaceId: string): Promise<Namespace> =>
    (await read(namespaceId)).state;
  const claimOn = async (name: string): Promise<NameClaim | null> => {
    const { events } = await log.readStream(nameStream(name));
    const { claim } = events.reduce(
      (state: Name, event) => nameDecider.evolve(state, event as never),
      nameDecider.initial,
    );
    return claim;
  };

  /** Gives the claim's id. Ends whatever claim is in the way, unless it holds. */
  const claim = async (name: string, namespaceId: string, run: Run): Promise<string> => {
    for (let looks = 1; ; looks += 1) {
      const last = await claimOn(name);
      if (last !== null) {
        const found = standing(await stateOf(last.namespaceId), last.claimId);
        if (found === 'held') throw duplicate(name);
        if (found === 'open' && looks < patience) {
          await pause();
          continue;
        }
        if (found === 'open') {
          const command = { type: 'AbandonClaim', claimId: last.claimId } as const;
          await handle(namespaceStream(last.namespaceId), command, contextOf(run), run.deadline);
        }
      }
      const claimId = randomUUID();
      try {
        await handleName(
          nameStream(name),
          {
            type: 'ClaimName',
            name,
            claim: { claimId, namespaceId },
            supersedes: last?.claimId ?? null,
          },
          contextOf(run),
          run.deadline,
        );
        return claimId;
      } catch (error) {
        if (!isContested(error) || run.deadline.aborted) throw error;
        await pause();
      }
    }
  };

  /** Claims the name and does what needs it; again when somebody took this process for dead in between. */
  const withClaim = async (
    name: string,
    namespaceId: string,
    run: Run,
    use: (claimId: string) => Promise<Handled<Namespace>>,
  ): Promise<Handled<Namespace>> => {
    for (;;)
      try {
        return await use(await claim(name, namespaceId, run));
      } catch (error) {
        if (!isContested(error) || run.deadline.aborted) throw error;
      }
  };

  return {
    create(by, content, run) {
      const { namespace } = content.attributes;
      const namespaceId = randomUUID();
      const command = { type: 'CreateNamespace', by, namespace, content } as const;
      decider.decide({ ...command, claimId: '' }, decider.initial); // who may not create claims nothing
      return withClaim(namespace, namespaceId, run, (claimId) =>
        handle(namespaceStream(namespaceId), { ...command, claimId }, contextOf(run), run.deadline),
      );
    },

    async change(command, run) {
      const held = await claimOn(command.namespace);
      const namespaceId = held?.namespaceId ?? randomUUID();
      const perform = (claimId?: string): Promise<Handled<Namespace>> =>
        handle(
          namespaceStream(namespaceId),
          claimId === undefined ? command : ({ ...command, claimId } as ChangeCommand),
          contextOf(run),
          run.deadline,
        );
      if (command.type !== 'UpdateNamespace') return perform();
      const { namespace } = command.attributes;
      if (namespace === command.namespace) return perform();
      decider.decide({ ...command, claimId: '' }, await stateOf(namespaceId));
      return withClaim(namespace, namespaceId, run, perform);
    },

    async find(name) {
      const held = await claimOn(name);
      if (held === null) return undefined;
      const found = await read(held.namespaceId);
      const { state } = found;
      return state.status === 'present' && state.attributes.namespace === name ? found : undefined;
    },
  };
}

const isContested = (error: unknown): boolean =>
  error instanceof Refused && error.code === 'name-contested';
