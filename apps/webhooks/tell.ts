import type { StandingSecret } from '../../domain/webhook/state.ts';
import type { Poster } from '../../infra/webhooks/post.ts';
import type { Attempt } from '../../infra/webhooks/progress-store.ts';
import { type SigningKey, signatures } from '../../infra/webhooks/signature.ts';
import type { Vault } from '../../infra/webhooks/vault.ts';

/** A document for an endpoint. */
export interface Telling {
  readonly eventId: string;
  readonly position: bigint | null;
  readonly type: string;
  /** JSON. */
  readonly body: string;
}

export interface Told {
  readonly attempt: Attempt;
  readonly retryAfterMs: number | null;
}

/** Keys of the secrets that sign, with the end of each. */
export type Keys = readonly (SigningKey & { readonly until: string | null })[];

/** Without those that are lost. */
export async function keysOf(vault: Vault, secrets: readonly StandingSecret[]): Promise<Keys> {
  const found = await vault.find(secrets.map(({ secretId }) => secretId));
  return secrets.flatMap(({ secretId, scheme, until }) => {
    const secret = found.get(secretId);
    return secret === undefined ? [] : [{ scheme, secret, until }];
  });
}

/** One attempt. Never rejects. Nothing is sent unsigned. */
export async function tell(
  poster: Pick<Poster, 'post'>,
  { url, keys }: { readonly url: string; readonly keys: Keys },
  { body, ...what }: Telling,
  how: Pick<Attempt, 'attempt' | 'manual'>,
): Promise<Told> {
  const at = new Date();
  const began = performance.now();
  const signing = keys.filter(({ until }) => until === null || Date.parse(until) > at.getTime());
  const timestamp = Math.floor(at.getTime() / 1_000);
  const posted =
    signing.length === 0
      ? { status: null, error: 'its secret is lost: rotate it', retryAfterMs: null }
      : await poster.post(url, {
          headers: {
            'Content-Type': 'application/cloudevents+json; charset=utf-8',
            'webhook-id': what.eventId,
            'webhook-timestamp': String(timestamp),
            'webhook-signature': signatures(signing, { id: what.eventId, timestamp, body }),
          },
          body,
        });
  const { status, error, retryAfterMs } = posted;
  const tookMs = Math.round(performance.now() - began);
  return { attempt: { ...what, ...how, at, tookMs, status, error }, retryAfterMs };
}
