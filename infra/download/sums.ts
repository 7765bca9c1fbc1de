import { SourceLied } from './failures.ts';

/** Hex digits to the digest that has so many. */
const algorithms: Readonly<Record<number, string>> = {
  32: 'md5',
  40: 'sha1',
  64: 'sha256',
  128: 'sha512',
};

interface Sum {
  readonly name: string;
  readonly algorithm: string;
  /** Lower case. */
  readonly hex: string;
}

/** `HEX  name` or `HEX *name`, with a backslash in front where the name is escaped (GNU coreutils). */
const plainLine = /^(\\?)([0-9a-f]{32,128}) [ *](.+)$/i;
/** `SHA256 (name) = HEX` (BSD, and `--tag` of GNU). */
const taggedLine = /^(\\?)(MD5|SHA1|SHA256|SHA512) ?\((.+)\) ?= ?([0-9a-f]{32,128})$/i;

/**
 * The digests that a vendor's file of checksums, as `sha256sum` writes and reads it, has of the file `name`. Everything
 * else in it, a signature around it for example, is passed over. Throws where it has none, or several that differ.
 */
export function digestsIn(text: string, name: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const sum of text.split(/\r?\n/).flatMap(sumIn)) {
    if (baseName(sum.name) !== name) continue;
    if ((found[sum.algorithm] ?? sum.hex) !== sum.hex)
      throw new SourceLied(
        `The file of checksums has several ${sum.algorithm} for ${name}: give the checksum itself`,
      );
    found[sum.algorithm] = sum.hex;
  }
  if (Object.keys(found).length === 0)
    throw new SourceLied(
      `The file of checksums has none for ${name}: give the URL of the right one, or the checksum itself`,
    );
  return found;
}

function sumIn(line: string): readonly Sum[] {
  const [, backslash, plainHex, plainName] = plainLine.exec(line) ?? [];
  if (plainHex !== undefined && plainName !== undefined)
    return sum(unescaped(plainName, backslash), plainHex);
  const [, tagEscape, tag = '', taggedName, taggedHex] = taggedLine.exec(line) ?? [];
  if (taggedHex === undefined || taggedName === undefined) return [];
  return sum(unescaped(taggedName, tagEscape), taggedHex).filter(
    ({ algorithm }) => algorithm === tag.toLowerCase(),
  );
}

function sum(name: string, hex: string): readonly Sum[] {
  const algorithm = algorithms[hex.length];
  return algorithm === undefined ? [] : [{ name, algorithm, hex: hex.toLowerCase() }];
}

const unescaped = (name: string, backslash: string | undefined): string =>
  backslash === '\\' ? name.replace(/\\([\\nr])/g, (_, one) => escapes[one] ?? one) : name;

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', '\\': '\\' };

const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
