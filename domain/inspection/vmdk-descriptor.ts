import { latin1 } from './fields.ts';
import { Unsafe } from './unsafe.ts';

const acceptedTypes = ['monolithicsparse', 'streamoptimized'];
const acceptedKeys = ['version', 'encoding', 'cid', 'parentcid', 'isnativesnapshot', 'createtype'];
const extentLine = /^(?:rw|rdonly|noaccess)[ \t]+\d+[ \t]+sparse[ \t]+"[^"]*"(?:[ \t]+\d+)?$/;
/** Real ones have less than 2 KiB. */
const maxTextBytes = 64 * 1024;

/**
 * Refuses every descriptor that is not plainly that of one self-contained file. Hypervisors search the whole text,
 * comments included, for keys, in any case: so a key that matters must occur once at most, anywhere.
 * Grammar: VMware, "Virtual Disk Format 5.0", section "The descriptor file"; readers: QEMU block/vmdk.c.
 */
export function checkDescriptor(region: Uint8Array): void {
  const text = descriptorText(region);
  if (text.trim() === '') throw unsafe('its descriptor is missing');
  refuseSubformat(text);
  if (text.includes('parentfilenamehint')) {
    throw unsafe('it names a parent image, which is not part of the upload');
  }
  const extents = text
    .split('\n')
    .map((line) => line.trim())
    .filter(isExtent);
  if (extents.length === 0) throw unsafe('its descriptor names no extent');
  if (extents.some((line) => /[/\\]/.test(line))) throw unsafe('an extent of it names a path');
  if (extents.length > 1) throw unsafe(`it names ${extents.length} extents in place of one`);
  if (!extents.every((line) => extentLine.test(line))) {
    throw unsafe('its extent is not of the sparse kind');
  }
}

/** The `createType` as written in lower case, '' if there is none of sensible length. */
export const createTypeOf = (text: string): string =>
  /createtype="([ !#-~]{0,63})"/.exec(text)?.[1] ?? '';

/** Up to the first NUL, in lower case: keys and keywords are case-insensitive. */
function descriptorText(region: Uint8Array): string {
  const end = region.indexOf(0);
  const bytes = end === -1 ? region : region.subarray(0, end);
  if (bytes.length > maxTextBytes)
    throw unsafe(`its descriptor has more than ${maxTextBytes} bytes`);
  if (!bytes.every(isPlain)) throw unsafe('its descriptor is not plain ASCII text');
  return latin1(bytes).toLowerCase();
}

/** Printable ASCII, tab, line feed, carriage return. */
export const isPlain = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d;

function refuseSubformat(text: string): void {
  if (text.split('createtype').length > 2) throw unsafe('its descriptor gives its type twice');
  const type = createTypeOf(text);
  if (acceptedTypes.includes(type)) return;
  throw unsafe(`its subformat is "${type}"`);
}

/** True for an extent's line, false for another that is known. Refuses the rest. */
function isExtent(line: string): boolean {
  if (line === '' || line.startsWith('#') || line.startsWith('ddb.')) return false;
  if (/^(?:rw|rdonly|noaccess)[ \t]/.test(line)) return true;
  const [key = '', value = ''] = line.split('=', 2);
  if (!line.includes('=') || !acceptedKeys.includes(key)) {
    throw unsafe(`its descriptor has the unknown line "${line.slice(0, 80).replace(/\s/g, ' ')}"`);
  }
  if (key === 'parentcid' && value !== 'ffffffff') {
    throw unsafe('it has a parent image, which is not part of the upload');
  }
  return false;
}

export const unsafe = (how: string) =>
  new Unsafe(
    `The VMDK image is not accepted: ${how}; convert it to the monolithicSparse or streamOptimized subformat.`,
  );
