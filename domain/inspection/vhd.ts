import { bytesExactly, bytesUpTo, finalSize, type Inspecting, requireWithin } from './asking.ts';
import { type Fields, fields, spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const cookie = 'conectix';
const footerBytes = 512;
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
    const footer = fields(head.subarray(0, footerBytes), 'big', 'the VHD header');
    const type = footer.u32(60);
    refuseParent(type);
    if (type === dynamic) return yield* examineDynamic(footer);
    const virtualSize = yield* fixedVhd();
    if (virtualSize !== null) return virtualSize;
    throw damaged(`its type is ${type} and it has no footer`);
  },
};

/** The virtual size if the object ends in the footer of a fixed disk, null if it does not. */
export function* fixedVhd(): Inspecting<number | null> {
  const size = yield* finalSize();
  if (size < footerBytes) return null;
  const bytes = yield* bytesUpTo(size - footerBytes, footerBytes);
  if (!spells(bytes, 0, cookie)) return null;
  const footer = fields(bytes, 'big', 'the VHD footer');
  const type = footer.u32(60);
  refuseParent(type);
  if (type !== fixed) throw damaged(`its footer has type ${type}, but its start has no header`);
  const virtualSize = footer.u64(48);
  requireWithin(size - footerBytes, 0, virtualSize, 'its disk');
  return virtualSize;
}

function* examineDynamic(footer: Fields): Inspecting<number> {
  const virtualSize = footer.u64(48);
  const headerAt = footer.u64(16);
  const header = fields(
    yield* bytesExactly(headerAt, 1024, "the VHD's dynamic header"),
    'big',
    "the VHD's dynamic header",
  );
  if (header.text(0, 8) !== 'cxsparse')
    throw damaged('its dynamic header is not where it should be');
  const tableAt = header.u64(16);
  const blocks = header.u32(28);
  const blockBytes = header.u32(32);
  if (blocks * blockBytes < virtualSize) {
    throw damaged(`its ${blocks} blocks cannot hold its ${virtualSize} bytes`);
  }
  requireWithin(yield* finalSize(), tableAt, blocks * 4, 'its block allocation table');
  return virtualSize;
}

function refuseParent(type: number): void {
  if (type !== differencing) return;
  throw new Unsafe(
    'The VHD image is a differencing disk, and its parent is not part of the upload: merge it into a full disk.',
  );
}

const damaged = (how: string) => new Unsafe(`The VHD image is damaged: ${how}; convert it again.`);
