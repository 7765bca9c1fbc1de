import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import type { SecretReference, SignatureScheme } from '../../domain/webhook/events.ts';

/** What signs, by its scheme: the bytes of an HMAC key, or the PKCS 8 form of an Ed25519 key. */
export interface SigningKey {
  readonly scheme: SignatureScheme;
  readonly secret: Uint8Array;
}

export interface NewSecret {
  readonly reference: SecretReference;
  readonly secret: Uint8Array;
  /** What the receiver verifies with, shown once for `v1`: `whsec_…` or `whpk_…`. */
  readonly shown: string;
}

const hmacBytes = 32;
/** Of a public Ed25519 key in SPKI form the last bytes are the key. */
const publicKeyBytes = 32;

export function newSecret(scheme: SignatureScheme): NewSecret {
  const secretId = randomUUID();
  if (scheme === 'v1') {
    const secret = randomBytes(hmacBytes);
    return {
      reference: { secretId, scheme, fingerprint: fingerprintOf(secret), publicKey: null },
      secret,
      shown: `whsec_${secret.toString('base64')}`,
    };
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' });
  const publicKey = publicKeyOf(privateKey);
  return {
    reference: { secretId, scheme, fingerprint: fingerprintOf(secret), publicKey },
    secret,
    shown: publicKey,
  };
}

const fingerprintOf = (secret: Uint8Array): string =>
  createHash('sha256').update(secret).digest('hex');

function publicKeyOf(privateKey: KeyObject): string {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return `whpk_${spki.subarray(-publicKeyBytes).toString('base64')}`;
}

/** The value of `webhook-signature`: one signature per key (Standard Webhooks, "Webhook headers"). */
export function signatures(
  keys: readonly SigningKey[],
  {
    id,
    timestamp,
    body,
  }: { readonly id: string; readonly timestamp: number; readonly body: string },
): string {
  const content = `${id}.${timestamp}.${body}`;
  return keys.map((key) => `${key.scheme},${signed(key, content)}`).join(' ');
}

const signed = ({ scheme, secret }: SigningKey, content: string): string =>
  scheme === 'v1'
    ? createHmac('sha256', secret).update(content).digest('base64')
    : sign(
        null,
        Buffer.from(content),
        createPrivateKey({ key: Buffer.from(secret), format: 'der', type: 'pkcs8' }),
      ).toString('base64');
