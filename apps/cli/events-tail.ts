import { once } from 'node:events';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { outsideTypes } from '../../domain/outside/exposure.ts';
import type { Outside } from '../../domain/outside/outside.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { cloudEventOf } from '../../infra/outside/cloud-event.ts';
import { standings } from '../../infra/outside/standings.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { type EventFilter, isWanted } from '../../projections/events/events.ts';
import { UsageError } from './command.ts';

export interface TailOptions {
  /** Undefined: from now on. */
  readonly from: bigint | undefined;
  readonly filter: EventFilter;
  readonly all: boolean;
  readonly json: boolean;
}

const valued = ['from', 'project', 'image', 'type'];

/** The command's own options, and the settings that are left. */
export function optionsFrom(args: readonly string[]): {
  readonly options: TailOptions;
  readonly settings: readonly string[];
} {
  const given = new Map<string, string[]>();
  const settings: string[] = [];
  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const [, name = '', inline] = /^--([a-z]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (!valued.includes(name) && name !== 'all' && name !== 'json') {
      settings.push(arg);
      continue;
    }
    const value = valued.includes(name) ? (inline ?? left.shift()) : '';
    if (value === undefined) throw new UsageError(`--${name} needs a value`);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  const last = (name: string): string | undefined => given.get(name)?.at(-1);
  const from = last('from');
  if (from !== undefined && !/^\d{1,19}$/.test(from))
    throw new UsageError(`--from must be a position, not ${from}`);
  const all = given.has('all');
  const types = given.get('type');
  const known: readonly string[] = outsideTypes;
  const unknown = all ? undefined : types?.find((type) => !known.includes(type));
  if (unknown !== undefined)
    throw new UsageError(
      `there are no events of type ${unknown}; there are ${known.join(', ')}; with --all others, too`,
    );
  return {
    options: {
      from: from === undefined ? undefined : BigInt(from),
      filter: { project: last('project'), image: last('image'), types },
      all,
      json: given.has('json'),
    },
    settings,
  };
}

/** Prints what happens, as fast as it is read, until the signal aborts. */
export async function tail(
  eventLogUrl: string,
  region: string,
  { from, filter, all, json }: TailOptions,
  signal: AbortSignal,
): Promise<void> {
  const log = await openEventLog(eventLogUrl, { log: logger('cli', 'warn'), upcast });
  try {
    const standing = standings(log);
    for await (const batch of log.follow(from ?? (await log.head()), signal))
      for (const event of batch) {
        if (signal.aborted) return;
        const outside = await standing.outsideOf(event);
        if (outside === undefined && !all) continue;
        if (!isWanted({ ...(outside ?? nobody), event }, filter)) continue;
        const text = json ? jsonOf(event, outside, region) : lineOf(event, outside);
        if (!process.stdout.write(`${text}\n`) && !signal.aborted)
          await once(process.stdout, 'drain', { signal }).catch(() => {});
      }
  } finally {
    await log.close();
  }
}

const nobody: Outside = { projectId: null, formerProjectId: null, readers: [] };

function jsonOf(event: RecordedEvent, outside: Outside | undefined, region: string): string {
  const document = outside && cloudEventOf(event, { ...outside, region });
  return JSON.stringify(document ?? { ...event, position: String(event.position) });
}

function lineOf(event: RecordedEvent, outside: Outside | undefined): string {
  const { actor } = event.metadata;
  const who = actor.kind === 'user' ? `user ${actor.userId}` : actor.part;
  const project = outside === undefined ? 'inside' : `project ${outside.projectId ?? '-'}`;
  const place = `${event.position}  ${event.recordedAt.toISOString()}`;
  const data = cloudEventOf(event, { ...nobody, region: '' })?.data ?? event.data;
  return `${place}  ${event.type}  ${event.streamId}  ${project}  by ${who}  ${JSON.stringify(data)}`;
}
