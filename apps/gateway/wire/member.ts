import { type MemberStatus, memberStatuses } from '../../../domain/image/attributes.ts';
import type { JsonObject } from '../../../domain/json.ts';
import type { ImageRecord, MemberRecord } from '../../../projections/images/record.ts';
import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';
import { timestamp } from './image.ts';
import { lengthOf } from './json-schema.ts';

const maxProjectIdLength = 255;

/** One member of an image as clients know it (reference, section 13). */
export const memberDocument = (
  { id }: Pick<ImageRecord, 'id'>,
  { projectId, status, createdAt, updatedAt }: MemberRecord,
): JsonObject => ({
  member_id: projectId,
  image_id: id,
  status,
  created_at: timestamp(createdAt),
  updated_at: timestamp(updatedAt),
  schema: '/v2/schemas/member',
});

/** The project of `POST …/members`; 400 for what cannot be the id of one. */
export function newMemberFrom(document: unknown): string {
  const member = field(document, 'member');
  if (typeof member === 'string' && member !== '' && isStorable(member))
    if (lengthOf(member) <= maxProjectIdLength) return member;
  throw new HttpError(400, 'Expected a member in the form: {"member": "project id"}');
}

/** The answer of `PUT …/members/{project}`; 400 for what is none. */
export function memberStatusFrom(document: unknown): MemberStatus {
  const given = field(document, 'status');
  const status = memberStatuses.find((known) => known === given);
  if (status !== undefined) return status;
  throw new HttpError(
    400,
    `Expected a status in the form: {"status": "status"}, one of ${memberStatuses.join(', ')}`,
  );
}

const field = (document: unknown, name: string): unknown =>
  typeof document === 'object' && document !== null && Object.hasOwn(document, name)
    ? (document as Record<string, unknown>)[name]
    : undefined;
