import { bytesExactly, bytesUpTo, finalSize, type Inspecting, requireWithin } from './asking.ts';
import { type Fields, fields, spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const cookie = 'conectix';
const footerBytes = 512;
const headerBytes = 1024;
const fixed = 2;
const dynamic = 3;
const differencing = 4;

/**
 * What the Image API calls vhd and QEMU vpc. Layout: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0.
 * Big-endian. A dynamic disk starts with a copy of its footer; of a fixed one only the end tells.
 */
export const vhd: Format = {
  name: 'vhd',

  recognises: (head) => spells(head, 0, cookie),

  *examine(head) {
    const copy = footerIn(head.subarray(0, footerBytes));
    if (copy.type === dynamic) return yield* examineDynamic(copy);
    const virtualSize = yield* fixedVhd();
    if (virtualSize !== null) return virtualSize;
    throw damaged(`its type is ${copy.type} and it has no footer`);
  },
};

/** The virtual size if the object ends in the footer of a fixed disk, null if it does not. */
export function* fixedVhd(): Inspecting<number | null> {
  const size = yield* finalSize();
  const footer = yield* footerAtEnd(size);
  if (!footer) return null;
  if (footer.type !== fixed) {
    throw damaged(`its footer has type ${footer.type}, but its start has no header`);
  }
  requireWithin(size - footerBytes, 0, footer.virtualSize, 'its disk');
  return footer.virtualSize;
}

function* examineDynamic(copy: Footer): Inspecting<number> {
  const what = "the VHD's dynamic header";
  const bytes = yield* bytesExactly(copy.fields.u64(16), headerBytes, what);
  const header = fields(bytes, 'big', what);
  if (header.text(0, 8) !== 'cxsparse')
    throw damaged('its dynamic header is not where it should be');
  const tableAt = header.u64(16);
  const blocks = header.u32(28);
  if (blocks * header.u32(32) < copy.virtualSize) {
    throw damaged(`its ${blocks} blocks cannot hold its ${copy.virtualSize} bytes`);
  }
  const size = yield* finalSize();
  requireWithin(size, tableAt, blocks * 4, 'its block allocation table');
  const footer = yield* footerAtEnd(size);
  if (!footer) throw damaged('it does not end in a footer');
  if (footer.type !== copy.type || footer.virtualSize !== copy.virtualSize) {
    throw damaged('its first and last bytes disagree on its type or size');
  }
  return copy.virtualSize;
}

interface Footer {
  readonly type: number;
  readonly virtualSize: number;
  readonly fields: Fields;
}

function* footerAtEnd(size: number): Inspecting<Footer | null> {
  if (size < footerBytes) return null;
  const bytes = yield* bytesUpTo(size - footerBytes, footerBytes);
  return spells(bytes, 0, cookie) ? footerIn(bytes) : null;
}

function footerIn(bytes: Uint8Array): Footer {
  const footer = fields(bytes, 'big', 'the VHD footer');
  if (footer.u32(64) !== checksum(footer)) throw damaged('a footer of it has a wrong checksum');
  const type = footer.u32(60);
  if (type === differencing) {
    throw new Unsafe(
      'The VHD image is a differencing disk, and its parent is not part of the upload: merge it into a full disk.',
    );
  }
  // the current size: the one at 40 is that of the disk when it was made
  const virtualSize = footer.u64(48);
  return { type, virtualSize, fields: footer };
}

/** One's complement of the sum of all bytes but its own four. */
function checksum(footer: Fields): number {
  let sum = 0;
  for (let at = 0; at < footerBytes; at++) if (at < 64 || at >= 68) sum += footer.u8(at);
  return ~sum >>> 0;
}

const damaged = (how: string) => new Unsafe(`The VHD image is damaged: ${how}; convert it again.`);
