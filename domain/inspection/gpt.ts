import { finalSize } from './asking.ts';
import { type Fields, fields } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const sectorBytes = 512;
const protectiveType = 0xee;

/** A disk with a partition table, GPT or plain MBR. Layout: UEFI 2.10, 5.2. Little-endian. */
export const gpt: Format = {
  name: 'gpt',

  recognises: (head) =>
    head.length >= sectorBytes && head[510] === 0x55 && head[511] === 0xaa && !isFat(head),

  *examine(head) {
    const entries = entriesOf(fields(head, 'little', 'the partition table'));
    refuseUnsafe(entries);
    return yield* finalSize();
  },
};

interface Entry {
  readonly index: number;
  readonly bootFlag: number;
  /** Head, sector and cylinder as three bytes, first lowest. */
  readonly startChs: number;
  readonly type: number;
  readonly startSector: number;
}

const entriesOf = (sector: Fields): readonly Entry[] =>
  [0, 1, 2, 3].map((index) => {
    const at = 446 + 16 * index;
    return {
      index,
      bootFlag: sector.u8(at),
      startChs: sector.u32(at) >>> 8,
      type: sector.u8(at + 4),
      startSector: sector.u32(at + 8),
    };
  });

function refuseUnsafe(entries: readonly Entry[]): void {
  for (const { index, bootFlag } of entries) {
    if (bootFlag === 0x00 || bootFlag === 0x80) continue;
    throw unsafe(`entry ${index + 1} has the boot flag 0x${bootFlag.toString(16)}`);
  }
  const used = entries.filter(({ type }) => type !== 0);
  if (used.length === 0) throw unsafe('it defines no partition');
  const protective = used.find(({ type }) => type === protectiveType);
  if (!protective) return;
  if (protective.startChs !== 0x000200) throw unsafe('its protective entry has a wrong start CHS');
  if (protective.startSector !== 1) throw unsafe('its protective entry does not start at sector 1');
  if (used.length > 1 || protective.index !== 0) {
    throw unsafe('it has other partitions beside or before its protective entry');
  }
}

const unsafe = (how: string) =>
  new Unsafe(`The image's partition table (MBR) is not valid: ${how}; partition the disk again.`);

/**
 * A FAT volume without partitions carries the MBR's signature too, where an MBR has its code it has a BIOS parameter
 * block (Microsoft FAT specification 1.03, section 3.1). Every field of that must make sense.
 */
function isFat(head: Uint8Array): boolean {
  const sector = fields(head, 'little', 'the boot sector');
  const jumps = (sector.u8(0) === 0xeb && sector.u8(2) === 0x90) || sector.u8(0) === 0xe9;
  const media = sector.u8(21);
  return (
    jumps &&
    [512, 1024, 2048, 4096].includes(sector.u16(11)) &&
    [1, 2, 4, 8, 16, 32, 64, 128].includes(sector.u8(13)) &&
    sector.u16(14) > 0 &&
    [1, 2].includes(sector.u8(16)) &&
    (media === 0xf0 || media >= 0xf8)
  );
}
