/** Every rule that can say no, as a closed set: the gateway must have a status for each. */
export type RefusalCode =
  | 'image-unknown'
  | 'image-exists'
  | 'image-protected'
  | 'image-held'
  | 'image-not-queued'
  | 'image-not-active'
  | 'wrong-status'
  | 'operation-in-progress'
  | 'formats-missing'
  | 'formats-missing-for-import'
  | 'format-fixed'
  | 'not-allowed'
  | 'property-exists'
  | 'property-missing'
  | 'field-fixed'
  | 'tag-missing'
  | 'not-shared'
  | 'member-exists'
  | 'member-unknown'
  | 'copy-unknown'
  | 'copy-exists'
  | 'last-location'
  | 'location-exists'
  | 'location-unknown'
  | 'locations-differ'
  | 'validation-conflict'
  | 'limit-exceeded'
  | 'quota-exceeded'
  | 'reservation-abandoned'
  | 'upload-ended'
  | 'claim-superseded'
  | 'namespace-unknown'
  | 'namespace-exists'
  | 'namespace-protected'
  | 'name-contested'
  | 'definition-unknown'
  | 'definition-exists'
  | 'webhook-unknown'
  | 'project-unknown'
  | 'bulk-import-unknown'
  | 'bulk-import-over';

/** A rule said no. The message is for the caller to read, and names what to do where it can. */
export class Refused extends Error {
  readonly code: RefusalCode;
  /** The policy rule that said no, also where the answer is that there is no image. Absent where none was asked. */
  readonly rule: string | undefined;

  constructor(code: RefusalCode, message: string, rule?: string) {
    super(message);
    this.name = 'Refused';
    this.code = code;
    this.rule = rule;
  }
}
