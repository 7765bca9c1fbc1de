import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { Access, Caller } from '../../../domain/image/access.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { exposureOf } from '../../../domain/outside/exposure.ts';
import { withheld } from '../../../infra/outside/data.ts';

/** Positions of the image's events before or after which it belonged to a project. */
export function ownTime(
  events: readonly RecordedEvent[],
  projectId: string | null,
): ReadonlySet<bigint> {
  const own = new Set<bigint>();
  let owner: unknown = null;
  for (const { type, data, position } of events) {
    const before = owner;
    if (type === 'ImageCreated') owner = data.owner;
    if (type === 'ImageUpdated') owner = ownerAfter(data) ?? owner;
    if (projectId !== null && [before, owner].includes(projectId)) own.add(position);
  }
  return own;
}

const ownerAfter = ({ changes }: JsonObject): unknown =>
  (changes as readonly JsonObject[] | undefined)?.find(({ field }) => field === 'owner')?.to;

/**
 * Whether a project may have the whole entry of an event of its image: what no document outside would keep from it is all
 * that is in there. An entry cannot be shown in part, since its hash is that of the whole.
 */
export function isWholeFor(
  { streamId, type, data, metadata }: RecordedEvent,
  caller: Caller,
  access: Pick<Access, 'ruleAgainst'>,
): boolean {
  const { actor } = metadata;
  if (exposureOf({ streamId, type }) === 'inside') return false;
  if (actor.kind === 'user' && actor.projectId !== caller.projectId) return false;
  if ((withheld[type] ?? []).some((path) => has(data, path.split('.')))) return false;
  return propertiesOf(data).every(
    (property) => access.ruleAgainst('read', property, caller) === undefined,
  );
}

function has(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return value !== undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
  return has((value as Readonly<Record<string, unknown>>)[step], rest);
}

/** Names of the custom properties that an event is about. */
function propertiesOf({ properties }: JsonObject): readonly string[] {
  if (Array.isArray(properties)) return properties.map(({ property }) => String(property));
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}
