import { createCipheriv, createHash } from 'node:crypto';

/** The bytes of one upload: random to the eye, the same again for the same token. */
export interface Content {
  /** The same for the same bytes. */
  readonly id: string;
  readonly size: number;
  readonly md5: string;
  readonly sha512: string;
  bytes(): Buffer;
}

const longest = 16 * 1024 * 1024;
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(longest),
);
/** Where a boot sector's signature would be: by chance it could make a disk of noise. */
const signatureAt = 510;

export function contentOf(token: string, size: number): Content {
  if (size > longest) throw new RangeError(`${size} bytes are more than ${longest}`);
  const bytes = (): Buffer => {
    const all = Buffer.from(noise.subarray(longest - size));
    createHash('sha256').update(token).digest().copy(all);
    if (size > signatureAt) all[signatureAt] = 0;
    return all;
  };
  const made = bytes();
  const md5 = createHash('md5').update(made).digest('hex');
  const sha512 = createHash('sha512').update(made).digest('hex');
  return { id: sha512.slice(0, 16), size, md5, sha512, bytes };
}
