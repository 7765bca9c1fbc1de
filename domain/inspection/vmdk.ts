import { bytesExactly, finalSize, type Inspecting, requireWithin } from './asking.ts';
import { type Fields, fields, latin1, spells } from './fields.ts';
import type { Format } from './format.ts';
import { checkDescriptor, createTypeOf, isPlain, unsafe } from './vmdk-descriptor.ts';

const sectorBytes = 512;
const headerBytes = 79;
const footerMarker = 3;
const endOfStreamMarker = 0;
/** In place of the grain directory's offset: the header at the end of the stream has it. */
const directoryAtEnd = 0xffff_ffff_ffff_ffffn;

/**
 * A hosted sparse extent with its descriptor inside. Layout: VMware, "Virtual Disk Format 5.0". Little-endian, offsets
 * count sectors. Also recognises what can never be one self-contained file: a bare descriptor, an ESX sparse extent.
 */
export const vmdk: Format = {
  name: 'vmdk',

  recognises: (head) =>
    spells(head, 0, 'KDMV') || spells(head, 0, 'COWD') || isBareDescriptor(head),

  *examine(head) {
    if (spells(head, 0, 'COWD')) throw unsafe('it is an ESX sparse extent');
    if (!spells(head, 0, 'KDMV')) {
      throw unsafe(
        `it is a descriptor of type "${createTypeOf(lowerText(head))}" whose data is in other files`,
      );
    }
    const header = fields(head.subarray(0, sectorBytes), 'little', 'the VMDK header');
    const { virtualSize, directoryBytes } = geometryOf(header);
    checkDescriptor(descriptorOf(head, header));
    const size = yield* finalSize();
    const atEnd = header.bits64(56) === directoryAtEnd;
    const last = atEnd ? yield* footerLike(header, size) : header;
    requireWithin(size, last.u64(56) * sectorBytes, directoryBytes, 'its grain directory');
    requireWithin(size, 0, last.u64(64) * sectorBytes, 'its metadata');
    return virtualSize;
  },
};

const lowerText = (bytes: Uint8Array) => latin1(bytes).toLowerCase();

/**
 * A text that has a `createType`, or whose first line that is neither blank nor a comment is a `version`, as QEMU's
 * block/vmdk.c probes it.
 */
function isBareDescriptor(head: Uint8Array): boolean {
  const start = latin1(head.subarray(0, 4096));
  if (/^(?:#[^\n]*\n|[ \t\r]*\n)*version=[123]\r?\n/.test(start)) return true;
  const isText = head.length > 0 && head.subarray(0, 512).every(isPlain);
  return isText && namesItsType(head);
}

/** Whether `createType="` is anywhere, in letters of either case. Text of a mebibyte is not made for it: that takes 16 ms. */
function namesItsType(head: Uint8Array): boolean {
  for (let at = head.indexOf(equalsSign); at !== -1; at = head.indexOf(equalsSign, at + 1))
    if (head[at + 1] === quotationMark && at >= typeKey.length)
      if (lowerText(head.subarray(at - typeKey.length, at)) === typeKey) return true;
  return false;
}

const typeKey = 'createtype';
const equalsSign = 0x3d;
const quotationMark = 0x22;

interface Geometry {
  readonly virtualSize: number;
  readonly directoryBytes: number;
}

function geometryOf(header: Fields): Geometry {
  const version = header.u32(4);
  if (version < 1 || version > 3) throw unsafe(`its version is ${version}`);
  const sectors = header.u64(12);
  // QEMU takes a header without capacity for a pointer to a descriptor with extents elsewhere
  if (sectors === 0) throw unsafe('its header gives no capacity');
  const virtualSize = sectors * sectorBytes;
  if (virtualSize > Number.MAX_SAFE_INTEGER) throw unsafe(`its header claims ${sectors} sectors`);
  const grains = header.u32(44);
  if (grains > 512) throw unsafe(`its grain tables claim ${grains} entries`);
  const sectorsPerTable = header.u64(20) * grains;
  if (sectorsPerTable === 0) throw unsafe('its header gives no grain size');
  return { virtualSize, directoryBytes: Math.ceil(sectors / sectorsPerTable) * 4 };
}

function descriptorOf(head: Uint8Array, header: Fields): Uint8Array {
  const [at, sectors] = [header.u64(28), header.u64(36)];
  if (at !== 1) throw unsafe(`its descriptor is at sector ${at} in place of 1`);
  if (sectors === 0) throw unsafe('its descriptor is missing');
  const end = (at + sectors) * sectorBytes;
  if (end > 1024 * 1024) throw unsafe(`its descriptor claims ${sectors} sectors`);
  requireWithin(head.length, sectorBytes, end - sectorBytes, 'its descriptor');
  return head.subarray(sectorBytes, end);
}

/**
 * The last three sectors of a stream are a footer marker, the footer, an end marker. The footer replaces the header
 * when the image is opened, so it must say the same, but for where the grain directory is.
 */
function* footerLike(header: Fields, size: number): Inspecting<Fields> {
  const length = 3 * sectorBytes;
  if (size % sectorBytes !== 0 || size < length) throw unsafe('it does not end in a whole footer');
  const end = yield* bytesExactly(size - length, length, 'the VMDK footer');
  refuseMarker(end.subarray(0, sectorBytes), footerMarker, 'footer');
  refuseMarker(end.subarray(2 * sectorBytes), endOfStreamMarker, 'end-of-stream');

  const footer = fields(end.subarray(sectorBytes, 2 * sectorBytes), 'little', 'the VMDK footer');
  for (const [at, bytes] of sameInFooter) {
    if (header.hex(at, bytes) !== footer.hex(at, bytes)) {
      throw unsafe('its header and footer disagree');
    }
  }
  if (footer.bits64(56) === directoryAtEnd) throw unsafe('its footer points at another footer');
  return footer;
}

/** Magic and version, capacity to table size, compression: [offset, bytes]. Flags and redundant directory may differ. */
const sameInFooter = [
  [0, 8],
  [12, 36],
  [77, headerBytes - 77],
] as const;

function refuseMarker(sector: Uint8Array, type: number, name: string): void {
  const marker = fields(sector, 'little', 'the VMDK marker');
  const valueFits = type === footerMarker || marker.isZero(0, 8);
  if (valueFits && marker.isZero(8, 4) && marker.u32(12) === type && marker.isZero(16, 496)) return;
  throw unsafe(`its ${name} marker is not valid`);
}
