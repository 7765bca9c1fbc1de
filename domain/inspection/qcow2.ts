import { finalSize, requireWithin } from './asking.ts';
import { type Fields, fields, spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

/** Layout and limits: QEMU docs/interop/qcow2.txt. All numbers are big-endian. */
export const qcow2: Format = {
  name: 'qcow2',

  recognises: (head) => spells(head, 0, 'QFI\xfb'),

  *examine(head) {
    const header = fields(head, 'big', 'the qcow2 header');
    refuseUnsafe(header);
    const virtualSize = header.u64(24);
    const tables = tablesOf(header, virtualSize);
    const size = yield* finalSize();
    for (const { what, offset, length } of tables) requireWithin(size, offset, length, what);
    return virtualSize;
  },
};

const dataFileBit = 1n << 2n;
/** Dirty, corrupt, external data file, compression type. */
const knownBits = 0b1111n;

function refuseUnsafe(header: Fields): void {
  const version = header.u32(4);
  if (version !== 2 && version !== 3) {
    throw new Unsafe(
      `The image is qcow2 version ${version}; only 2 and 3 are accepted: convert it with qemu-img.`,
    );
  }
  if (header.bits64(8) !== 0n) {
    throw new Unsafe(
      'The qcow2 image has a backing file, which is not part of the upload: flatten it with qemu-img convert.',
    );
  }
  if (version === 2) return;
  const incompatible = header.bits64(72);
  if (incompatible & dataFileBit) {
    throw new Unsafe(
      'The qcow2 image keeps its data in an external data file: convert it into a single file with qemu-img convert.',
    );
  }
  if (incompatible & ~knownBits) {
    throw new Unsafe(
      `The qcow2 image needs features that are not accepted (incompatible bits 0x${incompatible.toString(16)}): convert it with qemu-img's defaults.`,
    );
  }
  if (header.u32(100) < 104) throw damaged('its header length is below the least of version 3');
  if (header.u32(96) > 6) throw damaged('its reference counts have more than 64 bits');
}

interface Table {
  readonly what: string;
  readonly offset: number;
  readonly length: number;
}

/** The tables that the header points at, each on a cluster of its own after the header's. */
function tablesOf(header: Fields, virtualSize: number): readonly Table[] {
  const clusterBits = header.u32(20);
  if (clusterBits < 9 || clusterBits > 21) throw damaged(`its cluster bits are ${clusterBits}`);
  if (header.u32(32) > 2) throw damaged('its encryption method is unknown');
  const clusterBytes = 2 ** clusterBits;
  if (header.u32(4) === 3 && header.u32(100) > clusterBytes) {
    throw damaged('its header length exceeds a cluster');
  }
  const l1Entries = header.u32(36);
  if (l1Entries * clusterBytes * (clusterBytes / 8) < virtualSize) {
    throw damaged('its L1 table is too small for its virtual size');
  }
  if (l1Entries * 8 > 32 * 1024 * 1024) throw damaged('its L1 table exceeds 32 MiB');
  const refcountClusters = header.u32(56);
  if (refcountClusters === 0) throw damaged('it has no refcount table');
  const snapshots = header.u32(60);
  if (snapshots > 65_536) throw damaged(`it claims ${snapshots} snapshots`);

  const tables = [
    { what: 'its L1 table', offset: header.u64(40), length: l1Entries * 8 },
    { what: 'its refcount table', offset: header.u64(48), length: refcountClusters * clusterBytes },
    { what: 'its snapshot table', offset: header.u64(64), length: snapshots * snapshotEntryBytes },
  ].filter(({ length }) => length > 0);
  for (const { what, offset } of tables) {
    if (offset % clusterBytes !== 0) throw damaged(`${what} does not start on a cluster`);
    if (offset === 0) throw damaged(`${what} overlaps its header`);
  }
  refuseOverlap(tables);
  return tables;
}

/** The least that one entry of the snapshot table takes. */
const snapshotEntryBytes = 40;

function refuseOverlap(tables: readonly Table[]): void {
  const sorted = tables.toSorted((a, b) => a.offset - b.offset);
  for (const [index, table] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before && before.offset + before.length > table.offset) {
      throw damaged(`${before.what} overlaps ${table.what}`);
    }
  }
}

const damaged = (how: string) =>
  new Unsafe(`The qcow2 image is damaged: ${how}; check it with qemu-img check.`);
