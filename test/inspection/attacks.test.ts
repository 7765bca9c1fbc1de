import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge } from './run.ts';
import {
  be16,
  be32,
  be64,
  byte,
  fixedVhdImage,
  gptImage,
  le16,
  le32,
  le64,
  luksImage,
  mbrEntry,
  mbrImage,
  monolithicSparse,
  type Patch,
  patched,
  plain,
  qcow2Image,
  qedImage,
  sparseExtent,
  text,
  vdiImage,
  vhdFooter,
  vhdImage,
  vhdxIds,
  vhdxImage,
  vmdkDescriptor,
  vmdkImage,
  vmdkStream,
  withChecksums,
  withVhdChecksums,
} from './shapes.ts';

const kib = 1024;
const mib = 1024 * kib;
const largest = 0xffff_ffff_ffff_ffffn;

/** Each shape is refused as what it is and, where it is recognised, as raw too, with the same reason. */
function refuses(format: string, shapes: readonly (readonly [string, Uint8Array, RegExp])[]): void {
  describe(`${format} is refused`, () => {
    for (const [name, bytes, reason] of shapes) {
      test(name, () => {
        const verdict = judge(bytes, format);
        assert.ok(!verdict.accepted, 'accepted');
        assert.match(verdict.reason, reason);
        assert.equal(verdict.detected, format);
        assert.deepEqual(judge(bytes, 'raw'), verdict);
      });
    }
  });
}

const qcow2 = (...patches: readonly Patch[]) => patched(qcow2Image(), ...patches);
refuses('qcow2', [
  ['with a backing file', qcow2([8, be64(112)], [16, be32(11)]), /backing file/],
  ['with a backing file in version 2', patched(qcow2Image(2), [8, be64(72)]), /backing file/],
  ['with a backing file beyond every offset', qcow2([8, be64(largest)]), /backing file/],
  ['with a backing file of no name', qcow2([8, be64(1)], [16, be32(0)]), /backing file/],
  ['with an external data file', qcow2([72, be64(0b100)]), /external data file/],
  ['with an external data file among others', qcow2([72, be64(0b1111)]), /external data file/],
  ['with extended L2 entries', qcow2([72, be64(0b10000)]), /incompatible bits 0x10/],
  ['with an unknown incompatible feature', qcow2([72, be64(1n << 63n)]), /incompatible bits/],
  ['in version 0', qcow2([4, be32(0)]), /version 0/],
  ['in version 1', qcow2([4, be32(1)]), /version 1/],
  ['in version 4', qcow2([4, be32(4)]), /version 4/],
  ['cut off after its signature', qcow2Image().slice(0, 4), /ends inside the qcow2 header/],
  ['cut off inside its header', qcow2Image().slice(0, 100), /ends inside the qcow2 header/],
  ['cut off before its L1 table', qcow2Image().slice(0, 3 * 64 * kib), /places its L1 table/],
  ['with a short header in version 3', qcow2([100, be32(72)]), /header length/],
  ['with a header longer than a cluster', qcow2([100, be32(65_537)]), /header length/],
  ['with reference counts of 128 bits', qcow2([96, be32(7)]), /reference counts/],
  ['with clusters of 1 byte', qcow2([20, be32(0)]), /cluster bits are 0/],
  ['with clusters of 2^32 bytes', qcow2([20, be32(32)]), /cluster bits are 32/],
  [
    'with a virtual size beyond every disk',
    qcow2([24, be64(largest)]),
    /beyond the end of any disk/,
  ],
  [
    'with a virtual size that its L1 table cannot map',
    qcow2([24, be64(2n ** 50n)]),
    /L1 table is too small/,
  ],
  ['with an L1 table of 4 billion entries', qcow2([36, be32(0xffff_ffff)]), /L1 table exceeds/],
  [
    'with an L1 table beyond every offset',
    qcow2([40, be64(largest)]),
    /beyond the end of any disk/,
  ],
  ['with an L1 table beyond the end', qcow2([40, be64(2n ** 40n)]), /places its L1 table/],
  ['with an L1 table in its header', qcow2([40, be64(0)]), /L1 table overlaps its header/],
  [
    'with an L1 table off a cluster',
    qcow2([40, be64(3 * 64 * kib - 8)]),
    /does not start on a cluster/,
  ],
  ['with an L1 table on its refcount table', qcow2([40, be64(64 * kib)]), /overlaps/],
  ['without a refcount table', qcow2([56, be32(0)]), /no refcount table/],
  [
    'with a refcount table beyond the end',
    qcow2([40, be64(64 * kib)], [48, be64(128 * kib)], [56, be32(0xffff_ffff)]),
    /places its refcount table/,
  ],
  ['with 4 billion snapshots', qcow2([60, be32(0xffff_ffff)]), /4294967295 snapshots/],
  ['with snapshots beyond the end', qcow2([60, be32(1)], [64, be64(2n ** 40n)]), /snapshot table/],
  ['with an unknown encryption', qcow2([32, be32(3)]), /encryption/],
]);

const described = (descriptor: string) => vmdkImage(descriptor);
const withLine = (line: string) => described(`${monolithicSparse}${line}\n`);
const withExtents = (...extents: readonly string[]) =>
  described(vmdkDescriptor('monolithicSparse', ...extents));
const vmdk = (...patches: readonly Patch[]) => patched(vmdkImage(), ...patches);

refuses('vmdk', [
  ...[
    'monolithicFlat',
    'twoGbMaxExtentSparse',
    'twoGbMaxExtentFlat',
    'vmfs',
    'vmfsSparse',
    'custom',
    '',
    'x'.repeat(99),
  ].map(
    (type) =>
      [
        `of subformat "${type.slice(0, 20)}"`,
        described(vmdkDescriptor(type, sparseExtent)),
        /its subformat is/,
      ] as const,
  ),
  [
    'as a descriptor only',
    text(vmdkDescriptor('monolithicFlat', 'RW 20480 FLAT "disk-flat.vmdk" 0')),
    /data is in other files/,
  ],
  [
    'as a descriptor only that claims to be sparse',
    text(monolithicSparse),
    /data is in other files/,
  ],
  [
    'as a descriptor only that names a file of the host',
    text('version=1\nCID=1\nRW 1 FLAT "/etc/passwd" 0\n'),
    /data is in other files/,
  ],
  [
    'as a descriptor behind comments and blank lines',
    text('#\u0001\u00ff\n \r\n  \n# x\nversion=3\r\n'),
    /data is in other files/,
  ],
  [
    'as a descriptor in other letters',
    text(monolithicSparse.toUpperCase()),
    /data is in other files/,
  ],
  [
    'as a descriptor far behind other text, which has all but its key',
    text(`${'createtype = "x"\ntype="x"\n'.repeat(30_000)}CreateType="vmfs"\n`),
    /type "vmfs" whose data is in other files/,
  ],
  ['as an ESX sparse extent', patched(plain(4096), [0, text('COWD')]), /ESX/],
  ['with its descriptor at sector 2', vmdk([28, le64(2)]), /at sector 2 in place of 1/],
  ['with its descriptor nowhere', vmdk([28, le64(0)]), /at sector 0/],
  [
    'with its descriptor beyond every offset',
    vmdk([28, le64(largest)]),
    /beyond the end of any disk/,
  ],
  ['with a descriptor of no sectors', vmdk([36, le64(0)]), /descriptor is missing/],
  [
    'with a descriptor of 2^50 sectors',
    vmdk([36, le64(2n ** 50n)]),
    /claims 1125899906842624 sectors/,
  ],
  ['with a descriptor beyond the end', vmdk([36, le64(200)]), /places its descriptor/],
  ['with an empty descriptor', described('\0'.repeat(400)), /descriptor is missing/],
  ['with a descriptor of blanks', described(' \n'.repeat(200)), /descriptor is missing/],
  ['with a descriptor that is no text', described(`${monolithicSparse}\u0001`), /not plain ASCII/],
  [
    'with a descriptor that is not ASCII',
    described(`${monolithicSparse}# \u00e9\n`),
    /not plain ASCII/,
  ],
  [
    'with a descriptor without a type',
    described(monolithicSparse.replace(/createType.*\n/, '')),
    /subformat is ""/,
  ],
  ['with a second type', withLine('createType="monolithicFlat"'), /type twice/],
  ['with a second type in other letters', withLine('CREATETYPE="vmfs"'), /type twice/],
  ['with a second type in a comment', withLine('# createType="vmfs"'), /type twice/],
  ['with an unknown line', withLine('exec /bin/sh'), /unknown line "exec \/bin\/sh"/],
  ['with an unknown line of tabs', withLine('a\tb\rc'), /unknown line "a b c"/],
  ['with an unknown key', withLine('changeTrackPath="x-ctk.vmdk"'), /unknown line/],
  ['with a key of blanks', withLine('a b = c'), /unknown line/],
  ['with a line that starts like a database entry', withLine('ddbX'), /unknown line/],
  ['with a parent', withLine('parentFileNameHint="base.vmdk"'), /parent image/],
  ['with a parent in a comment', withLine('#parentFileNameHint="/etc/passwd"'), /parent image/],
  [
    'with the id of a parent',
    described(monolithicSparse.replace('ffffffff', '12345678')),
    /parent image/,
  ],
  ['without an extent', withExtents(), /no extent/],
  ['with a path in its extent', withExtents('RW 20480 SPARSE "/etc/passwd"'), /names a path/],
  [
    'with a path upwards in its extent',
    withExtents('RW 20480 SPARSE "../other.vmdk"'),
    /names a path/,
  ],
  [
    'with a path in a second extent',
    withExtents(sparseExtent, 'RW 1 FLAT "/dev/sda" 0'),
    /names a path/,
  ],
  ['with a path in an indented extent', withExtents('  \tRW 1 FLAT "/dev/sda" 0'), /names a path/],
  ['with a drive in its extent', withExtents('RW 20480 SPARSE "C:\\disk.vmdk"'), /names a path/],
  ['with two extents', withExtents(sparseExtent, 'RW 1 SPARSE "b.vmdk"'), /2 extents/],
  ['with a flat extent', withExtents('RW 20480 FLAT "disk-flat.vmdk" 0'), /not of the sparse kind/],
  ['with an extent of zeros', withExtents('RW 20480 ZERO'), /not of the sparse kind/],
  ['with an extent of words', withExtents('RW many SPARSE "disk.vmdk"'), /not of the sparse kind/],
  ['in version 4', vmdk([4, le32(4)]), /version is 4/],
  ['in version 0', vmdk([4, le32(0)]), /version is 0/],
  ['without capacity', vmdk([12, le64(0)]), /no capacity/],
  ['with a capacity beyond every disk', vmdk([12, le64(largest)]), /beyond the end of any disk/],
  [
    'with a capacity beyond every number',
    vmdk([12, le64(2n ** 52n)]),
    /claims 4503599627370496 sectors/,
  ],
  ['with grain tables of 513 entries', vmdk([44, le32(513)]), /513 entries/],
  ['with metadata beyond the end', vmdk([64, le64(200)]), /its metadata/],
  ['without a grain size', vmdk([20, le64(0)]), /no grain size/],
  ['with a grain directory beyond the end', vmdk([56, le64(2n ** 40n)]), /grain directory/],
  ['cut off inside its header', vmdkImage().slice(0, 40), /ends inside the VMDK header/],
  ['cut off inside its descriptor', vmdkImage().slice(0, 700), /places its descriptor/],
]);

const stream = vmdkStream();
const footerAt = stream.length - 1024;
const footer = (at: number, bytes: Uint8Array) => patched(stream, [footerAt + at, bytes]);
refuses('vmdk', [
  ['when its footer is missing', stream.slice(0, -1536), /footer marker/],
  [
    'when it goes on after its footer',
    Buffer.concat([stream, new Uint8Array(512)]),
    /footer marker/,
  ],
  ['when it is cut off inside its footer', stream.slice(0, -512), /footer marker/],
  ['when it does not end on a sector', stream.slice(0, -1), /whole footer/],
  ['when its footer has another signature', footer(0, text('COWD')), /disagree/],
  ['when its footer has another version', footer(4, le32(1)), /disagree/],
  ['when its footer has another capacity', footer(12, le64(40_960)), /disagree/],
  ['when its footer has another grain size', footer(20, le64(8)), /disagree/],
  ['when its footer has another descriptor', footer(28, le64(3)), /disagree/],
  ['when its footer has a longer descriptor', footer(36, le64(21)), /disagree/],
  ['when its footer has another compression', footer(77, le16(0)), /disagree/],
  ['when its footer points at a footer', footer(56, le64(largest)), /another footer/],
  ["when its footer's directory is beyond the end", footer(56, le64(2n ** 40n)), /grain directory/],
  ['when its footer marker has another type', footer(-512 + 12, le32(1)), /footer marker/],
  ['when its footer marker has a size', footer(-512 + 8, le32(1)), /footer marker/],
  ['when its footer marker is not padded', footer(-512 + 100, byte(1)), /footer marker/],
  ['when its end marker has a type', footer(512 + 12, le32(3)), /end-of-stream marker/],
  ['when its end marker has a value', footer(512, le64(1)), /end-of-stream marker/],
  ['when its end marker has a size', footer(512 + 8, le32(1)), /end-of-stream marker/],
  ['when its end marker is not padded', footer(512 + 511, byte(1)), /end-of-stream marker/],
]);

const mbr = (...patches: readonly Patch[]) => patched(mbrImage(), ...patches);
const gpt = (...patches: readonly Patch[]) => patched(gptImage(), ...patches);
const protective = (startChs: readonly number[], startSector: number) =>
  mbrEntry(0, startChs, 0xee, startSector);
const linux = mbrEntry(0, [0x20, 0x21, 0], 0x83, 2048);
const empty = new Uint8Array(16);
refuses('gpt', [
  ['with a boot flag of 0x01', mbr([446, byte(0x01)]), /entry 1 has the boot flag 0x1/],
  [
    'with a boot flag of 0xff in an unused entry',
    mbr([494, byte(0xff)]),
    /entry 4 has the boot flag 0xff/,
  ],
  ['without a partition', mbr([446, empty]), /no partition/],
  [
    'with a protective entry of another start head',
    gpt([446, protective([1, 2, 0], 1)]),
    /start CHS/,
  ],
  [
    'with a protective entry of another start sector byte',
    gpt([446, protective([0, 1, 0], 1)]),
    /start CHS/,
  ],
  [
    'with a protective entry of another start cylinder',
    gpt([446, protective([0, 2, 1], 1)]),
    /start CHS/,
  ],
  [
    'with a protective entry that starts at sector 0',
    gpt([446, protective([0, 2, 0], 0)]),
    /sector 1/,
  ],
  [
    'with a protective entry that starts at sector 2',
    gpt([446, protective([0, 2, 0], 2)]),
    /sector 1/,
  ],
  ['with a partition behind the protective one', gpt([462, linux]), /other partitions/],
  [
    'with a partition before the protective one',
    gpt([446, linux], [462, protective([0, 2, 0], 1)]),
    /other partitions/,
  ],
  [
    'with the protective entry in second place',
    gpt([446, empty], [462, protective([0, 2, 0], 1)]),
    /before its protective/,
  ],
  ['with two protective entries', gpt([462, protective([0, 2, 0], 1)]), /other partitions/],
]);

const luks = (...patches: readonly Patch[]) => patched(luksImage(), ...patches);
refuses('luks', [
  ['in version 2', luks([6, be16(2)]), /version 2/],
  ['in version 0', luks([6, be16(0)]), /version 0/],
  ['with its payload elsewhere', luks([104, be32(0)]), /detached/],
  ['with its payload beyond the end', luks([104, be32(0xffff_ffff)]), /payload starts at/],
  ['cut off after its signature', luksImage().slice(0, 6), /ends inside the LUKS header/],
  ['cut off inside its header', luksImage().slice(0, 300), /places its LUKS header/],
]);

refuses('qed', [
  ['always', qedImage(), /never accepted/],
  ['by its signature alone', qedImage().slice(0, 4), /never accepted/],
]);

const vdi = (...patches: readonly Patch[]) => patched(vdiImage(), ...patches);
refuses('vdi', [
  ['as a differencing image', vdi([76, le32(4)]), /parent image/],
  ['as an undo image', vdi([76, le32(3)]), /parent image/],
  ['with the id of a linked image', vdi([424, byte(1)]), /parent image/],
  ['with the id of a parent', vdi([455, byte(1)]), /parent image/],
  ['in another version', vdi([68, le32(0x20000)]), /version 2\.0/],
  ['with a size beyond every disk', vdi([368, le64(largest)]), /beyond the end of any disk/],
  ['with a size beyond its blocks', vdi([368, le64(11 * mib)]), /cannot hold/],
  ['with a block map beyond the end', vdi([340, le32(0xffff_ffff)]), /block map/],
  ['cut off inside its header', vdiImage().slice(0, 80), /ends inside the VDI header/],
]);

const vhd = (...patches: readonly Patch[]) => withVhdChecksums(patched(vhdImage(), ...patches));
const endingLike = (footerBytes: Uint8Array) =>
  Buffer.concat([vhdImage().subarray(0, -512), footerBytes]);
refuses('vhd', [
  ['as a differencing disk', vhd([60, be32(4)]), /differencing/],
  ['of an unknown type', vhd([60, be32(9)]), /type/],
  ['with a size beyond every disk', vhd([48, be64(largest)]), /beyond the end of any disk/],
  ['with a size beyond its blocks', vhd([48, be64(11 * mib)]), /cannot hold/],
  [
    'with its dynamic header beyond every offset',
    vhd([16, be64(largest)]),
    /beyond the end of any disk/,
  ],
  ['with its dynamic header beyond the end', vhd([16, be64(2n ** 52n)]), /dynamic header/],
  ['with something else as its dynamic header', vhd([16, be64(520)]), /dynamic header/],
  ['with a block table beyond the end', vhd([528, be64(2n ** 40n)]), /block allocation table/],
  [
    'with a block table of 4 billion entries',
    vhd([540, be32(0xffff_ffff)]),
    /block allocation table/,
  ],
  ['with a wrong checksum', patched(vhdImage(), [48, be64(2 * mib)]), /wrong checksum/],
  ['when its end has another size', endingLike(vhdFooter(3, 8 * mib)), /disagree/],
  ['when its end has another type', endingLike(vhdFooter(2, 10 * mib)), /disagree/],
  ['when its end is a differencing disk', endingLike(vhdFooter(4, 10 * mib)), /differencing/],
  ['when it goes on after its footer', Buffer.concat([vhdImage(), byte(0)]), /not end in a footer/],
  ['cut off before its footer', vhdImage().slice(0, -512), /not end in a footer/],
  ['cut off inside its header', vhdImage().slice(0, 40), /ends inside the VHD footer/],
]);

describe('a fixed VHD is refused', () => {
  const endingIn = (footerBytes: Uint8Array) => Buffer.concat([plain(mib), footerBytes]);
  const shapes: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['as a differencing disk', endingIn(vhdFooter(4, mib)), /differencing/],
    ['as a dynamic disk without a start', endingIn(vhdFooter(3, mib)), /its start has no header/],
    ['with a size beyond its bytes', endingIn(vhdFooter(2, mib + 1)), /places its disk/],
    ['with a size beyond every disk', endingIn(vhdFooter(2, largest)), /any disk/],
    ['when it goes on after its footer', Buffer.concat([fixedVhdImage(), byte(0)]), /declared vhd/],
    ['when it is cut off inside its footer', fixedVhdImage().slice(0, -1), /declared vhd/],
  ];
  for (const [name, bytes, reason] of shapes) {
    test(name, () => {
      const verdict = judge(bytes, 'vhd');
      assert.ok(!verdict.accepted, 'accepted');
      assert.match(verdict.reason, reason);
    });
  }
});

const region = 192 * kib;
const metadata = 2 * mib;
const vhdx = (...patches: readonly Patch[]) => withChecksums(patched(vhdxImage(), ...patches));
/** The same change in both copies of the region table. */
const inRegions = (at: number, bytes: Uint8Array) =>
  vhdx([region + at, bytes], [region + 64 * kib + at, bytes]);
const item = (at: number, bytes: Uint8Array) => vhdx([metadata + at, bytes]);
const metadataOnly: readonly Patch[] = [192 * kib, 256 * kib].flatMap((at) => [
  [at + 8, le32(1)],
  [at + 16, vhdxIds.metadata],
  [at + 32, le64(metadata)],
]);
const withoutBlockTable = vhdx(...metadataOnly);
refuses('vhdx', [
  ['as a differencing disk', item(64 * kib + 4, le32(2)), /differencing/],
  [
    'with a parent locator',
    vhdx([metadata + 10, le16(3)], [metadata + 96, vhdxIds.parentLocator]),
    /differencing/,
  ],
  ['with a log that waits for replay', vhdx([128 * kib + 48, byte(1)]), /log waits/],
  [
    'without a valid header',
    vhdx([64 * kib, text('xxxx')], [128 * kib, text('xxxx')]),
    /no valid header/,
  ],
  [
    'with wrong checksums in both headers',
    patched(vhdxImage(), [64 * kib + 100, byte(1)], [128 * kib + 100, byte(1)]),
    /no valid header/,
  ],
  [
    'with a region table of another kind',
    vhdx([region, text('xxxx')]),
    /region table is not valid/,
  ],
  [
    'with a wrong checksum in its region table',
    patched(vhdxImage(), [region + 1000, byte(1)]),
    /region table is not valid/,
  ],
  ['with two region tables', vhdx([region + 64 * kib + 64, le64(4 * mib)]), /tables differ/],
  ['with 4 billion regions', inRegions(8, le32(0xffff_ffff)), /claims 4294967295 entries/],
  ['without metadata', inRegions(48, new Uint8Array(16)), /requires a region of an unknown kind/],
  ['with its metadata named twice', inRegions(16, vhdxIds.metadata), /names one thing twice/],
  ['without a block table', withoutBlockTable, /names no block allocation table/],
  ['with one region only', inRegions(8, le32(1)), /names no metadata/],
  ['with metadata beyond every offset', inRegions(64, le64(largest)), /beyond the end of any disk/],
  ['with metadata beyond the end', inRegions(64, le64(2n ** 50n)), /metadata table/],
  ['with metadata in its header', inRegions(64, le64(0)), /overlap/],
  ['with metadata off a mebibyte', inRegions(64, le64(2 * mib + 512)), /overlap/],
  ['with metadata on its block table', inRegions(64, le64(3 * mib)), /overlap/],
  ['with a region of no length', inRegions(72, le32(0)), /overlap/],
  ['with a region of 4 GiB', inRegions(40, le32(0xfff0_0000)), /places a region/],
  ['with a metadata table of another kind', item(0, text('x')), /metadata table is not valid/],
  ['with 65535 metadata items', item(10, le16(65_535)), /claims 65535 entries/],
  [
    'with an unknown item that it requires',
    vhdx([metadata + 10, le16(3)], [metadata + 96, byte(1)], [metadata + 120, le32(4)]),
    /unknown kind/,
  ],
  ['with a size given twice', item(32, vhdxIds.virtualDiskSize), /names one thing twice/],
  ['without a size', item(10, le16(1)), /disk size .* missing/],
  [
    'without file parameters',
    vhdx([metadata + 32, byte(0xff)], [metadata + 56, le32(0)]),
    /missing/,
  ],
  ['with a size of another length', item(84, le32(4)), /missing/],
  ['with a size in its table', item(80, le32(32)), /missing/],
  ['with a size outside of its region', item(80, le32(0xffff_fff8)), /outside of its region/],
  [
    'with a size beyond every disk',
    item(64 * kib + 8, le64(largest)),
    /beyond the end of any disk/,
  ],
  ['with a size beyond 64 TiB', item(64 * kib + 8, le64(2n ** 46n + 512n)), /exceed 64 TiB/],
  ['cut off after its signature', vhdxImage().slice(0, 8), /no valid header/],
  [
    'cut off inside its region table',
    vhdxImage().slice(0, region + 100),
    /region table is not valid/,
  ],
  ['cut off before its metadata', vhdxImage().slice(0, metadata + 100), /metadata table/],
]);
