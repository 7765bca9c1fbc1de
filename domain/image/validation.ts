import { Refused } from '../refused.ts';
import type { Digests, Validation } from './events.ts';

/** The digest that is shown as `os_hash_algo`, unless a location came with one of another kind. */
export const hashAlgorithm = 'sha512';

/** Hex digits of each algorithm that a location may be vouched for with. */
export const digestLengths: Readonly<Record<string, number>> = {
  md5: 32,
  sha1: 40,
  sha256: 64,
  sha512: 128,
};

/** Whether a text is a digest of the algorithm, in lower case. */
export const isDigest = (algorithm: string, text: string): boolean =>
  Object.hasOwn(digestLengths, algorithm) &&
  text.length === digestLengths[algorithm] &&
  /^[0-9a-f]*$/.test(text);

/**
 * What is known of an image's bytes when PATCH vouches for them (reference, section 14.1): on a queued image what it says
 * is taken, on any other it may only repeat what is known.
 */
export function vouched(known: Digests | null, given: readonly (Validation | null)[]): Digests {
  let digests = known ?? {};
  for (const validation of given) {
    if (validation === null) continue;
    const { algorithm, value, checksum } = validation;
    if (algorithm !== hashAlgorithm)
      throw refused(`The algorithm must be ${hashAlgorithm}, not ${algorithm}.`);
    const said = { [algorithm]: value, ...(checksum === null ? {} : { md5: checksum }) };
    for (const [name, text] of Object.entries(said)) {
      if (!isDigest(name, text)) throw refused(`That is no ${name}: ${text}.`);
      const before = digests[name];
      if (before === undefined && known !== null)
        throw refused(`The ${name} of an image that is not queued cannot be given any more.`);
      if (before !== undefined && before !== text)
        throw refused(`The image has another ${name}: ${before}.`);
    }
    digests = { ...digests, ...said };
  }
  return digests;
}

const refused = (message: string): Refused => new Refused('validation-conflict', message);
