import type { JsonObject } from '../../domain/json.ts';
import type { ListQuery } from './list-query.ts';
import type { ImageRecord, MemberRecord } from './record.ts';

/** Members as their column holds them: their fields, times as ISO 8601. */
export const membersFrom = (json: readonly JsonObject[]): readonly MemberRecord[] =>
  json.map(({ projectId, status, createdAt, updatedAt }) => ({
    projectId: String(projectId),
    status: status as MemberRecord['status'],
    createdAt: new Date(String(createdAt)),
    updatedAt: new Date(String(updatedAt)),
  }));

/** One key of `shared_with`: what is asked of it is always one such key, which an index answers exactly. */
export const shareKey = (status: ListQuery['memberStatus'], projectId: string): string =>
  `${status} ${projectId}`;

/** The column `shared_with`: two keys for each member; null while nothing is shared. */
export const shareKeys = ({ visibility, members }: ImageRecord): readonly string[] | null =>
  visibility !== 'shared' || members.length === 0
    ? null
    : members.flatMap(({ projectId, status }) => [
        shareKey(status, projectId),
        shareKey('all', projectId),
      ]);
