import type { Json, JsonObject } from '../../../domain/json.ts';
import type { OutsideType } from '../../../domain/outside/exposure.ts';
import type { RequestRefused } from '../../../domain/request-refused.ts';
import { outsideData } from '../../../infra/outside/data.ts';
import type { Person } from '../../../infra/personal/records.ts';
import type { ChangeRecord } from '../../../projections/history/change.ts';
import type { Difference } from '../../../projections/history/differences.ts';
import type { HistoryViewer } from '../../../projections/history/history.ts';

/** Who reads a history. */
export interface HistoryReader extends HistoryViewer {
  /** Whether the operator's property protections let it see a custom property of images. */
  readonly isReadable: (property: string) => boolean;
}

export type Persons = ReadonlyMap<string, Person>;

/**
 * A change as history tells it. Who is no auditor learns of every actor the id, for an owner must know who touched what
 * is its own; roles, and the erasable record of who and from where, of its own project's only.
 */
export function changeDocument(
  change: ChangeRecord,
  reader: HistoryReader,
  persons: Persons,
): JsonObject {
  const { metadata, position, recordedAt, revision, type } = change;
  const { globalRequestId, rule } = metadata;
  const refused = change.kind === 'refusals';
  return {
    position: String(position),
    id: change.eventId,
    time: recordedAt.toISOString(),
    type,
    outcome: refused ? 'refused' : 'success',
    object: refused ? refusedObject(change) : { kind: change.kind, id: change.object },
    revision: refused ? undefined : revision,
    project_id: change.projectId,
    ...(change.formerProjectId === null ? {} : { former_project_id: change.formerProjectId }),
    actor: actorDocument(change, reader, persons),
    request_id: metadata.requestId,
    ...(globalRequestId === undefined ? {} : { global_request_id: globalRequestId }),
    causation_id: metadata.causationId,
    correlation_id: metadata.correlationId,
    ...(refused
      ? { refusal: change.data }
      : {
          rule: rule ?? null,
          changes: shownDifferences(change, reader) as unknown as Json,
          ...detailsOf(change, reader),
        }),
  };
}

export function actorDocument(
  { metadata }: Pick<ChangeRecord, 'metadata'>,
  { seesAll, projectId }: HistoryViewer,
  persons: Persons,
): JsonObject {
  const { actor, personal } = metadata;
  const isOwn = actor.kind === 'user' && actor.projectId !== null && actor.projectId === projectId;
  const person = seesAll || isOwn ? { person: personOf(persons, personal) } : {};
  if (actor.kind === 'system')
    return { kind: 'system', part: actor.part, ...(personal === undefined ? {} : person) };
  const { userId, roles } = actor;
  return {
    kind: 'user',
    user_id: userId,
    project_id: actor.projectId,
    ...(seesAll || isOwn ? { roles } : {}),
    ...person,
  };
}

/** Null once it was erased. */
function personOf(persons: Persons, hash: string | undefined): JsonObject | null {
  const person = hash === undefined ? undefined : persons.get(hash);
  if (person === undefined) return null;
  const { userName, remoteAddress, userAgent } = person;
  return { user_name: userName, remote_address: remoteAddress, user_agent: userAgent };
}

const shownDifferences = (
  { kind, differences }: ChangeRecord,
  { seesAll, isReadable }: HistoryReader,
): readonly Difference[] =>
  differences
    .filter((one) => kind !== 'image' || one.kind !== 'property' || isReadable(one.name))
    .map((one) =>
      seesAll || kind !== 'image' || one.name !== 'locations'
        ? one
        : { ...one, old: storesOf(one.old), new: storesOf(one.new) },
    );

/** Keys and URLs are for auditors: of the places of bytes, others learn the stores. */
const storesOf = (locations: Json): Json =>
  (locations as readonly JsonObject[] | null)?.map(({ store }) => ({ store })) ?? null;

/** What the differences do not tell: for auditors everything, for others what events outside carry. */
function detailsOf({ kind, type, data }: ChangeRecord, { seesAll }: HistoryReader): JsonObject {
  const known = Object.hasOwn(outsideData, type) && ['image', 'namespace', 'import'].includes(kind);
  const told =
    seesAll || kind === 'recording' || kind === 'hold'
      ? data
      : known
        ? toldOf(type as OutsideType, data)
        : {};
  return Object.keys(told).length === 0 ? {} : { details: told };
}

function toldOf(type: OutsideType, data: JsonObject): JsonObject {
  const { success, data: told } = outsideData[type].safeParse(data);
  return success ? (told as JsonObject) : {};
}

/** What a refused call was about, by its route. */
function refusedObject({ object, data }: ChangeRecord): JsonObject | null {
  const { action } = data as RequestRefused['data'];
  if (object === null) return null;
  const [, kind] =
    [
      [/\/metadefs\//, 'namespace'],
      [/\/webhooks\//, 'webhook'],
      [/\/images/, 'image'],
    ].find(([route]) => (route as RegExp).test(action ?? '')) ?? [];
  return { kind: kind === undefined ? null : String(kind), id: object };
}
