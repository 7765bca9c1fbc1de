import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { sha256 } from './sha256.ts';

/** Signature type of a plain Ed25519 signature (C2SP signed-note, "Signature types"). */
const ed25519 = 1;
const rawBytes = 32;
/** What stands before the 32 bytes of an Ed25519 key in PKCS 8 and in SPKI (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export interface VerifierKey {
  readonly name: string;
  /** Eight hex digits; with the name they say which key it is. */
  readonly id: string;
  /** As operators and verifiers pass it on: `NAME+ID+base64`. */
  readonly text: string;
  isSigned(text: string, signature: Uint8Array): boolean;
}

export interface SigningKey extends VerifierKey {
  /** `PRIVATE+KEY+NAME+ID+base64`: for the key file alone. */
  readonly secret: string;
  sign(text: string): Uint8Array;
}

/** It is not written as a key; the message does not repeat it. */
export class BadKey extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadKey';
  }
}

/** Names that a signed note can have: not empty, neither spaces nor plus signs (C2SP signed-note, "Format"). */
export const isKeyName = (name: string): boolean => /^[^\s+\p{Cc}]+$/u.test(name);

const keyId = (name: string, publicKey: Uint8Array): string =>
  Buffer.from(
    sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ed25519]), publicKey])),
  ).toString('hex', 0, 4);

function verifier(name: string, raw: Uint8Array): VerifierKey {
  const id = keyId(name, raw);
  const publicKey = createPublicKey({
    key: Buffer.concat([spkiPrefix, raw]),
    format: 'der',
    type: 'spki',
  });
  return {
    name,
    id,
    text: `${name}+${id}+${encoded(raw)}`,
    isSigned: (text, signature) => verify(null, Buffer.from(text), publicKey, signature),
  };
}

function signer(name: string, seed: Uint8Array): SigningKey {
  const privateKey: KeyObject = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const { id, ...rest } = verifier(name, spki.subarray(-rawBytes));
  return {
    ...rest,
    id,
    secret: `PRIVATE+KEY+${name}+${id}+${encoded(seed)}`,
    sign: (text) => sign(null, Buffer.from(text), privateKey),
  };
}

const encoded = (raw: Uint8Array): string =>
  Buffer.concat([Buffer.from([ed25519]), raw]).toString('base64');

export function newSigningKey(name: string): SigningKey {
  if (!isKeyName(name)) throw new BadKey('a key has a name without spaces and plus signs');
  return signer(name, randomBytes(rawBytes));
}

/** The way of writing keys that `golang.org/x/mod/sumdb/note` began, and tools of C2SP's logs know. */
export const verifierKeyFrom = (text: string): VerifierKey => keyFrom(text, '', verifier);

export const signingKeyFrom = (text: string): SigningKey => keyFrom(text, 'PRIVATE+KEY+', signer);

function keyFrom<Key extends VerifierKey>(
  text: string,
  prefix: string,
  make: (name: string, raw: Uint8Array) => Key,
): Key {
  const [, name = '', id, rest = ''] = text.startsWith(prefix)
    ? (/^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text.slice(prefix.length)) ?? [])
    : [];
  const bytes = Buffer.from(rest, 'base64');
  const isOurs = isKeyName(name) && bytes.length === 1 + rawBytes && bytes[0] === ed25519;
  if (!isOurs || bytes.toString('base64') !== rest)
    throw new BadKey(`an Ed25519 key is written ${prefix}NAME+ID+base64`);
  const key = make(name, bytes.subarray(1));
  if (key.id !== id) throw new BadKey('the id of the key does not go with its name and its bytes');
  return key;
}
