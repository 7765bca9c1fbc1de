import assert from 'node:assert/strict';
import {
  actions,
  added,
  attachmentKeys,
  eventTypes,
  eventTypeUri,
  hostKeys,
  mandatory,
  optional,
  outcomes,
  reasonKeys,
  resourceKeys,
  resources,
} from './cadf-facts.ts';

type Document = Readonly<Record<string, unknown>>;

/** `yyyy-mm-ddThh:mm:ss.f` with an offset (DSP0262, "Timestamp"). */
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$/;

/** As strict as pyCADF's validators or stricter: actions of the taxonomy only, and no members that it does not know. */
export function requireCadf(event: Document): void {
  only(event, [...mandatory, ...optional, ...added.event]);
  for (const key of mandatory) assert.ok(event[key] !== undefined, `${key} is missing`);
  assert.equal(event.typeURI, eventTypeUri);
  assert.ok(eventTypes.includes(String(event.eventType)));
  assert.match(String(event.eventTime), timestamp);
  assert.ok(actions.includes(String(event.action)), `action ${event.action}`);
  assert.ok(outcomes.includes(String(event.outcome)), `outcome ${event.outcome}`);
  assert.match(String(event.id), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  for (const key of ['initiator', 'target', 'observer']) resource(event[key] as Document);
  if (event.reason !== undefined) reason(event.reason as Document);
  for (const tag of (event.tags ?? []) as readonly unknown[])
    assert.match(String(tag), /^[^?]+\?value=.+$/);
  for (const one of (event.attachments ?? []) as readonly Document[]) {
    only(one, attachmentKeys);
    for (const key of attachmentKeys) assert.ok(one[key] !== undefined, `attachment.${key}`);
  }
}

function resource(one: Document): void {
  only(one, [...resourceKeys, ...added.resource]);
  assert.ok(typeof one.id === 'string' && one.id !== '', 'a resource has an id');
  assert.ok(
    resources.some((type) => one.typeURI === type || String(one.typeURI).startsWith(`${type}/`)),
    `typeURI ${one.typeURI}`,
  );
  if (one.name !== undefined) assert.equal(typeof one.name, 'string');
  if (one.host === undefined) return;
  only(one.host as Document, hostKeys);
  for (const value of Object.values(one.host as Document)) assert.equal(typeof value, 'string');
}

/** "MUST have at least one valid pairing of reason+code or policy+id" (`Reason.is_valid`). */
function reason(one: Document): void {
  only(one, reasonKeys);
  for (const value of Object.values(one)) assert.equal(typeof value, 'string');
  const has = (...keys: readonly string[]) => keys.every((key) => one[key] !== undefined);
  assert.ok(has('reasonType', 'reasonCode') || has('policyType', 'policyId'));
}

const only = (one: Document, known: readonly string[]): void =>
  assert.deepEqual(
    Object.keys(one).filter((key) => !known.includes(key)),
    [],
  );
