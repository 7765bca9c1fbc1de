import type { Access, Caller } from '../../domain/image/access.ts';
import type { Reader } from '../../infra/outside/document-for.ts';

/**
 * What a webhook is told: what its project's plain members may read, whoever registered it, and of those custom
 * properties that the operator's protections show them. That of all projects is an administrator's.
 */
export function readerOf(project: string | null, access: Pick<Access, 'ruleAgainst'>): Reader {
  const isAdmin = project === null;
  const roles = ['member', 'reader', ...(isAdmin ? ['admin'] : [])];
  const caller: Caller = { userId: 'webhooks', projectId: project, roles };
  return {
    projectId: project,
    isAdmin,
    isReadable: (property) => access.ruleAgainst('read', property, caller) === undefined,
  };
}
