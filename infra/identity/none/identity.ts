import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../../../domain/image/access.ts';
import { CallerRefused, isKeepable } from '../caller-refused.ts';

interface Identified {
  readonly caller: Caller;
  readonly userName: string;
}

/** Roles that Keystone's `admin` and `member` imply. */
const implied: Readonly<Record<string, readonly string[]>> = {
  admin: ['member', 'reader'],
  member: ['reader'],
};

/**
 * Believes every caller, so it is for loopback only. A token of the form `user:project:role,role` (as in Glance's own
 * test pipeline) says who calls; any other token, or none, is `defaultCaller`, which has the same form. Rejects with
 * `CallerRefused` when ids or roles cannot be kept.
 */
export function identityNone(defaultCaller: string) {
  const byDefault = callerFrom(defaultCaller);
  if (byDefault === undefined)
    throw new Error(`not of the form user:project:role: ${defaultCaller}`);
  const known = new LRUCache<string, Identified>({ max: mostKnown });
  const identified = (token: string): Identified => {
    const one = callerFrom(decoded(token)) ?? byDefault;
    const { userId, projectId, roles } = one.caller;
    if (![userId, projectId, ...roles].every(isKeepable)) throw new CallerRefused();
    known.set(token, one);
    return one;
  };
  return {
    async identify(headers: IncomingHttpHeaders): Promise<Identified> {
      const token = headers['x-auth-token'];
      if (typeof token !== 'string') return byDefault;
      return known.get(token) ?? identified(token);
    },
  };
}

/** Tokens of which the caller is kept: what is known of a caller is kept by it. */
const mostKnown = 1_000;

/** python-glanceclient percent-encodes tokens, colons and commas too. */
function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

function callerFrom(token: string): Identified | undefined {
  const [userId, projectId, roles, ...rest] = token.split(':');
  if (userId === undefined || projectId === undefined || roles === undefined || rest.length > 0)
    return undefined;
  const caller = {
    userId,
    projectId: projectId === '' ? null : projectId,
    roles: withImplied(
      roles
        .toLowerCase()
        .split(',')
        .map((role) => role.trim())
        .filter((role) => role !== ''),
    ),
  };
  return { caller, userName: userId };
}

const withImplied = (roles: readonly string[]): readonly string[] => [
  ...new Set(roles.flatMap((role) => [role, ...(implied[role] ?? [])])),
];
