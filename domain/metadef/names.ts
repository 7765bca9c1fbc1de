import type { Decider } from '../decider.ts';
import { Refused } from '../refused.ts';
import type { Namespace } from './state.ts';

/**
 * How a name belongs to one namespace, where no append spans two streams.
 *
 * A namespace lives in `metadef-{uuid}`, which a renaming does not move: identity and history stay. Each name that was
 * ever used has a stream of its own, `metadefname-{name}`, which says who claimed it last. To be created, or renamed, a
 * namespace first claims the name there, at the expected revision, so that of two only one does; then it says so in
 * its own stream, naming the claim. That second fact is what counts, and it alone is shown:
 *
 *     open → held      the namespace was created, or renamed, with this claim
 *     held → over      it was renamed again, or deleted: the name is free without another word
 *     open → over      who wants the name finds nothing behind the claim, and abandons it in the claimer's stream
 *
 * A crash between the two appends leaves an open claim, which the next who wants the name ends. Since that is an append
 * to the claimer's own stream, a claimer that only slept finds out when it goes on, and must claim anew: never do
 * two namespaces hold one name.
 */
export interface NameClaim {
  readonly claimId: string;
  readonly namespaceId: string;
}

/** Who claimed the name last. */
export interface Name {
  readonly claim: NameClaim | null;
}

export interface NameEvent {
  readonly type: 'MetadefNameClaimed';
  readonly data: NameClaim & {
    readonly name: string;
    /** The claim that was found to be over. */
    readonly supersedes: string | null;
  };
}

export interface NameCommand {
  readonly type: 'ClaimName';
  readonly name: string;
  readonly claim: NameClaim;
  readonly supersedes: string | null;
}

export const name: Decider<Name, NameCommand, NameEvent> = {
  initial: { claim: null },
  decide({ name, claim, supersedes }, state) {
    if ((state.claim?.claimId ?? null) !== supersedes) throw contested(name);
    return [{ type: 'MetadefNameClaimed', data: { name, ...claim, supersedes } }];
  },
  evolve: (_, { data: { claimId, namespaceId } }) => ({ claim: { claimId, namespaceId } }),
};

export const contested = (name: string): Refused =>
  new Refused(
    'name-contested',
    `Others are about to take the name ${name} at this moment. Try again.`,
  );

/** What has become of a claim of this namespace's. */
export function standing(state: Namespace, claimId: string): 'open' | 'held' | 'over' {
  if (state.status === 'deleted' || state.endedClaims.includes(claimId)) return 'over';
  return state.status === 'present' && state.claimId === claimId ? 'held' : 'open';
}

export const namespaceStream = (namespaceId: string): string => `metadef-${namespaceId}`;

/** Outside `[A-Za-z0-9_-]` every byte of UTF-8 is `=` and two hex digits, so that no two names share a stream. */
export const nameStream = (name: string): string =>
  `metadefname-${encodeURIComponent(name)
    .replace(/[!'()*.~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%', '=')}`;
