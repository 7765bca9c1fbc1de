import { bytesExactly, finalSize, type Inspecting, requireWithin } from './asking.ts';
import { crc32c } from './crc32c.ts';
import { type Fields, fields, spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const kib = 1024;
const mib = 1024 * kib;
const tableBytes = 64 * kib;
const maxEntries = 2047;

/**
 * Layout: MS-VHDX. Little-endian. Region table (192 KiB) → metadata table → virtual disk size.
 *
 *     0        "vhdxfile"
 *     64 KiB   header 1      128 KiB  header 2        the valid one with the higher sequence number counts
 *     192 KiB  region table  256 KiB  its copy
 *     1 MiB …  log, metadata region, block allocation table, blocks; each on a multiple of 1 MiB
 */
export const vhdx: Format = {
  name: 'vhdx',

  recognises: (head) => spells(head, 0, 'vhdxfile'),

  *examine(head) {
    refusePendingLog(head);
    const regions = regionsOf(head);
    const metadata = regions.find(({ id }) => id === metadataRegion);
    if (!metadata) throw damaged('its region table names no metadata');
    if (!regions.some(({ id }) => id === blockTableRegion)) {
      throw damaged('its region table names no block allocation table');
    }
    const virtualSize = yield* virtualSizeIn(metadata);
    const size = yield* finalSize();
    for (const { offset, length } of regions) requireWithin(size, offset, length, 'a region');
    return virtualSize;
  },
};

/** A log that waits for replay may change any byte, so what was inspected would not be what is opened. MS-VHDX, 2.3.3. */
function refusePendingLog(head: Uint8Array): void {
  const headers = [64 * kib, 128 * kib]
    .map((at) => head.subarray(at, at + 4 * kib))
    .filter((bytes) => spells(bytes, 0, 'head') && hasItsChecksum(bytes, 4 * kib))
    .map((bytes) => fields(bytes, 'little', 'the VHDX header'))
    .toSorted((a, b) => (a.bits64(8) < b.bits64(8) ? 1 : -1));
  const current = headers[0];
  if (!current) throw damaged('it has no valid header');
  if (current.isZero(48, 16)) return;
  throw new Unsafe(
    'The VHDX image was not closed cleanly and its log waits for replay: repair it with qemu-img check -r all.',
  );
}

interface Region {
  readonly id: string;
  readonly offset: number;
  readonly length: number;
}

// GUIDs in file order.
const metadataRegion = '06a27c8b90479a4bb8fe575f050f886e';
const blockTableRegion = '6677c22d23f600429d64115e9bfd4a08';
const fileParameters = '3767a1ca36fa434db3b633f0aa44e76b';
const virtualDiskSize = '2442a52f1bcd7648b2115dbed83bf4b8';
const page83Data = 'ab12cabee6b2234593efc309e000c746';
const logicalSectorSize = '1dbf41816fa90947ba47f233a8faab5f';
const physicalSectorSize = 'c748a3cd5d4471449cc9e9885251c556';
const parentLocator = '2d5fd3a80bb34d45abf7d3d84834ab0c';

/** MS-VHDX, 2.2.3. */
function regionsOf(head: Uint8Array): readonly Region[] {
  const bytes = head.subarray(192 * kib, 192 * kib + tableBytes);
  const table = fields(bytes, 'little', 'the VHDX region table');
  if (table.text(0, 4) !== 'regi' || !hasItsChecksum(bytes, tableBytes)) {
    throw damaged('its region table is not valid');
  }
  const copy = head.subarray(256 * kib, 256 * kib + tableBytes);
  const copyCounts = spells(copy, 0, 'regi') && hasItsChecksum(copy, tableBytes);
  if (copyCounts && copy.some((byte, index) => byte !== bytes[index])) {
    throw damaged('its two region tables differ');
  }

  const regions = entriesOf(table.u32(8), 16).map((at) => ({
    id: table.hex(at, 16),
    offset: table.u64(at + 16),
    length: table.u32(at + 24),
    required: (table.u32(at + 28) & 1) === 1,
  }));
  const known = [metadataRegion, blockTableRegion];
  if (regions.some(({ id, required }) => required && !known.includes(id))) {
    throw damaged('it requires a region of an unknown kind');
  }
  refuseRepeats(regions);
  refuseMisplaced(regions);
  return regions;
}

function refuseMisplaced(regions: readonly Region[]): void {
  let end = mib;
  for (const { offset, length } of regions.toSorted((a, b) => a.offset - b.offset)) {
    if (offset % mib !== 0 || length % mib !== 0 || length === 0 || offset < end) {
      throw damaged('its regions overlap or are not on multiples of 1 MiB');
    }
    end = offset + length;
  }
}

/** MS-VHDX, 2.6. */
function* virtualSizeIn(region: Region): Inspecting<number> {
  const bytes = yield* bytesExactly(region.offset, tableBytes, "the VHDX's metadata table");
  const items = itemsOf(fields(bytes, 'little', "the VHDX's metadata table"), region);
  if (items.some(({ id }) => id === parentLocator)) throw hasParent();

  const parameters = yield* itemOf(items, fileParameters, region);
  if (parameters.u32(4) & 2) throw hasParent();
  const virtualSize = (yield* itemOf(items, virtualDiskSize, region)).u64(0);
  if (virtualSize > 64 * 1024 ** 4) throw damaged(`its ${virtualSize} bytes exceed 64 TiB`);
  return virtualSize;
}

interface Item {
  readonly id: string;
  /** From the region's start. */
  readonly offset: number;
  readonly length: number;
}

function itemsOf(table: Fields, region: Region): readonly Item[] {
  if (table.text(0, 8) !== 'metadata') throw damaged('its metadata table is not valid');
  const items = entriesOf(table.u16(10), 32).map((at) => ({
    id: table.hex(at, 16),
    offset: table.u32(at + 16),
    length: table.u32(at + 20),
    required: (table.u32(at + 24) & 4) === 4,
  }));
  const known = [
    fileParameters,
    virtualDiskSize,
    page83Data,
    logicalSectorSize,
    physicalSectorSize,
    parentLocator,
  ];
  if (items.some(({ id, required }) => required && !known.includes(id))) {
    throw damaged('it requires metadata of an unknown kind');
  }
  refuseRepeats(items);
  if (items.some(({ offset, length }) => length > 0 && offset + length > region.length)) {
    throw damaged('a metadata item lies outside of its region');
  }
  return items;
}

/** File parameters and disk size are both eight bytes, placed after the table. */
function* itemOf(items: readonly Item[], id: string, region: Region): Inspecting<Fields> {
  const item = items.find((candidate) => candidate.id === id);
  if (item?.length !== 8 || item.offset < tableBytes) {
    throw damaged('its disk size or file parameters are missing from the metadata');
  }
  const bytes = yield* bytesExactly(region.offset + item.offset, 8, "the VHDX's metadata");
  return fields(bytes, 'little', "the VHDX's metadata");
}

/** Where each of `count` entries of 32 bytes starts. */
function entriesOf(count: number, first: number): readonly number[] {
  if (count > maxEntries) throw damaged(`a table claims ${count} entries`);
  return Array.from({ length: count }, (_, index) => first + index * 32);
}

function refuseRepeats(entries: readonly { readonly id: string }[]): void {
  if (new Set(entries.map(({ id }) => id)).size < entries.length) {
    throw damaged('a table names one thing twice');
  }
}

const hasItsChecksum = (bytes: Uint8Array, length: number): boolean =>
  bytes.length === length && fields(bytes, 'little', 'the VHDX').u32(4) === crc32c(bytes, 4);

const damaged = (how: string) => new Unsafe(`The VHDX image is damaged: ${how}; convert it again.`);

const hasParent = () =>
  new Unsafe(
    'The VHDX image is a differencing disk, and its parent is not part of the upload: merge it into a full disk.',
  );
