import type { JsonObject } from '../json.ts';
import type { RequestRefused } from '../request-refused.ts';
import { actionOf, type CadfAction, type CadfOutcome, outcomeOf } from './cadf-action.ts';
import type { ExportRecord } from './record.ts';

/** A CADF resource (DSP0262), with what OpenStack's middleware adds to who initiates. */
interface CadfResource extends JsonObject {
  readonly typeURI: string;
  readonly id: string;
  readonly name?: string;
  readonly host?: { readonly address?: string; readonly agent?: string };
  readonly project_id?: string;
}

/** The CADF event of DMTF DSP0262 1.0, its members named as pyCADF names them. */
export interface CadfEvent extends JsonObject {
  readonly typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event';
  readonly eventType: 'activity';
  readonly id: string;
  readonly eventTime: string;
  readonly name: string;
  readonly action: CadfAction;
  readonly outcome: CadfOutcome;
  readonly initiator: CadfResource;
  readonly target: CadfResource;
  readonly observer: CadfResource;
  readonly tags: readonly string[];
}

const service = 'service/storage/image';

/** CADF's resource taxonomy, with a word of our own behind it where it has none that is narrow enough. */
const targetTypes: Readonly<Record<string, string>> = {
  image: 'data/image',
  namespace: 'data/config/metadef',
  webhook: 'data/config/webhook',
  project: 'data/security/project',
  task: 'data/workload/task',
  import: 'data/workload/job',
  export: 'data/config/export',
  erasure: 'data/security/account',
  hold: 'data/security/project',
  recording: 'data/security/project',
  restore: service,
  download: 'data/image/download',
  downloads: 'data/image/download',
};

export function cadfEvent(record: ExportRecord, region: string): CadfEvent {
  const { id, type, time, metadata, position, refused } = record;
  const refusal = refused ? (record.document.refusal as RequestRefused['data']) : undefined;
  const observer = { typeURI: service, id: `daguerre:${region}`, name: 'daguerre' };
  const route = refusal?.action ?? null;
  return {
    typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event',
    eventType: 'activity',
    id,
    eventTime: time.toISOString().replace(/Z$/, '+00:00'),
    name: type,
    action: actionOf(record, route),
    outcome: outcomeOf(record),
    ...reasonOf(record, refusal),
    initiator: initiatorOf(record),
    target: targetOf(record, observer),
    observer,
    ...(route === null ? {} : { requestPath: route }),
    tags: [
      `position?value=${position}`,
      `correlation_id?value=${metadata.correlationId}`,
      `causation_id?value=${metadata.causationId}`,
    ],
    attachments: [{ typeURI: 'application/json', name: 'daguerre', content: ownContent(record) }],
  };
}

/** Ids must not be empty (pyCADF `identifier.is_valid`). */
const idOr = (id: string): string => (id === '' ? 'unknown' : id);

function initiatorOf({ metadata, person }: ExportRecord): CadfResource {
  const { actor, requestId, globalRequestId } = metadata;
  const by = {
    ...(person === null ? {} : { name: person.userName, ...hostOf(person) }),
    request_id: requestId,
    ...(globalRequestId === undefined ? {} : { global_request_id: globalRequestId }),
  };
  if (actor.kind === 'system')
    return { typeURI: service, id: `daguerre:${actor.part}`, name: actor.part, ...by };
  return {
    typeURI: 'service/security/account/user',
    id: idOr(actor.userId),
    ...(actor.projectId === null ? {} : { project_id: actor.projectId }),
    ...by,
  };
}

const hostOf = ({ remoteAddress, userAgent }: NonNullable<ExportRecord['person']>) =>
  remoteAddress === '' && userAgent === ''
    ? {}
    : {
        host: {
          ...(remoteAddress === '' ? {} : { address: remoteAddress }),
          ...(userAgent === '' ? {} : { agent: userAgent }),
        },
      };

/** What is about nothing in particular is about the service. */
function targetOf({ object, projectId }: ExportRecord, observer: CadfResource): CadfResource {
  if (object === null) return observer;
  return {
    typeURI: targetTypes[object.kind ?? ''] ?? 'unknown',
    id: idOr(object.id),
    ...(projectId === null ? {} : { project_id: projectId }),
  };
}

/** The rule that allowed it, or why it was refused; CADF wants each in a pair of a type and a value. */
function reasonOf(
  { metadata }: ExportRecord,
  refusal: RequestRefused['data'] | undefined,
): { readonly reason?: JsonObject } {
  const rule = refusal === undefined ? metadata.rule : (refusal.rule ?? undefined);
  const reason = {
    ...(refusal === undefined
      ? {}
      : { reasonType: 'daguerre/refusal', reasonCode: refusal.code ?? 'refused' }),
    ...(rule === undefined ? {} : { policyType: 'oslo.policy', policyId: rule }),
  };
  return Object.keys(reason).length === 0 ? {} : { reason };
}

/** Of our own document what CADF has no member for. */
function ownContent({ document }: ExportRecord): JsonObject {
  const { position, type, revision, former_project_id, changes, details, refusal } = document;
  return { position, type, revision, former_project_id, changes, details, refusal };
}
