import {
  be32,
  be64,
  byte,
  fatImage,
  gptImage,
  isoImage,
  luksImage,
  mbrEntry,
  mbrImage,
  patched,
  plain,
  qcow2Image,
  qedImage,
  text,
  vdiImage,
  vhdImage,
  vhdxImage,
  vmdkDescriptor,
  vmdkImage,
  vmdkStream,
} from '../../inspection/shapes.ts';
import { section } from '../case.ts';

const disk = 10 * 1024 * 1024;

const good: readonly (readonly [string, string, Uint8Array, number])[] = [
  ['qcow2 version 3', 'qcow2', qcow2Image(3), disk],
  ['qcow2 version 2', 'qcow2', qcow2Image(2), disk],
  ['vmdk monolithicSparse', 'vmdk', vmdkImage(), disk],
  ['vmdk streamOptimized', 'vmdk', vmdkStream(), disk],
  ['vhd', 'vhd', vhdImage(), disk],
  ['vhdx', 'vhdx', vhdxImage(), disk],
  ['vdi', 'vdi', vdiImage(), disk],
  ['iso', 'iso', isoImage(), isoImage().length],
];

const unsafe: readonly (readonly [string, string, Uint8Array])[] = [
  ['a qcow2 with a backing file', 'qcow2', patched(qcow2Image(), [8, be64(512)], [16, be32(8)])],
  ['a qcow2 with an external data file', 'qcow2', patched(qcow2Image(), [72, be64(4)])],
  ['a qcow2 with an unknown feature', 'qcow2', patched(qcow2Image(), [72, be64(16)])],
  ['a qcow2 of version 4', 'qcow2', patched(qcow2Image(), [4, be32(4)])],
  [
    'a vmdk of kind monolithicFlat',
    'vmdk',
    vmdkImage(vmdkDescriptor('monolithicFlat', 'RW 20480 FLAT "disk-flat.vmdk" 0')),
  ],
  [
    'a vmdk with an extent elsewhere',
    'vmdk',
    vmdkImage(vmdkDescriptor('monolithicSparse', 'RW 20480 SPARSE "/etc/passwd"')),
  ],
  ['a vmdk without extent', 'vmdk', vmdkImage(vmdkDescriptor('monolithicSparse'))],
  ['a qed', 'raw', qedImage()],
  [
    'a partition table with an odd boot flag',
    'raw',
    patched(mbrImage(), [446, mbrEntry(0x40, [0x20, 0x21, 0x00], 0x83, 2048)]),
  ],
  ['a partition table without partition', 'raw', patched(mbrImage(), [446, new Uint8Array(16)])],
  [
    'a protective partition that begins elsewhere',
    'raw',
    patched(gptImage(), [446, mbrEntry(0x00, [0x00, 0x02, 0x00], 0xee, 7)]),
  ],
  [
    'a protective partition beside another',
    'raw',
    patched(gptImage(), [462, mbrEntry(0x00, [0x20, 0x21, 0x00], 0x83, 2048)]),
  ],
  ['a luks of version 2', 'raw', patched(luksImage(), [7, byte(2)])],
];

/** Reference, section 20. */
export const content = section('content', (says) => {
  for (const [what, format, bytes, size] of good)
    says(`${what} is taken as ${format}, virtual_size from its header`, async ({ demo, image }) => {
      const id = await image({ disk_format: format });
      (await demo.upload(id, bytes)).is(204);
      (await demo.show(id)).has({ status: 'active', size: bytes.length, virtual_size: size });
    });

  for (const [what, format, bytes] of good.filter(([, name]) => name !== 'iso'))
    says(`${what} declared as another format is 415`, async ({ demo, image }) => {
      const id = await image({ disk_format: format === 'vdi' ? 'vmdk' : 'vdi' });
      (await demo.upload(id, bytes)).is(415);
      (await demo.show(id)).has({ status: 'queued', size: null, checksum: null });
    });

  for (const format of ['qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi', 'iso'])
    says(`bytes of no format declared as ${format} are 415`, async ({ demo, image }) => {
      const id = await image({ disk_format: format });
      (await demo.upload(id, plain(70_000))).is(415);
    });

  for (const format of ['raw', 'ami', 'ari', 'aki', 'ploop'])
    says(`bytes of no format are taken as ${format}`, async ({ demo, image }) => {
      const id = await image({ disk_format: format });
      (await demo.upload(id, plain(70_000))).is(204);
    });

  for (const [what, , bytes] of good)
    says(`${what} declared raw is taken, virtual_size its bytes`, async ({ demo, image }) => {
      const id = await image({ disk_format: 'raw' });
      (await demo.upload(id, bytes)).is(204);
      (await demo.show(id)).has({ virtual_size: bytes.length });
    });

  for (const [what, format, bytes] of unsafe)
    says(`${what} is 415`, async ({ demo, image }) => {
      const id = await image({ disk_format: format });
      const reply = (await demo.upload(id, bytes)).is(415);
      reply.that('a reason', reply.text.length > 0);
      (await demo.show(id)).has({ status: 'queued' });
      (await demo.download(id)).is(204);
    });

  for (const [what, , bytes] of unsafe.filter(([, name]) => name !== 'raw'))
    says(`${what} declared raw is 415 too`, async ({ demo, image }) => {
      (await demo.upload(await image({ disk_format: 'raw' }), bytes)).is(415);
    });

  for (const [what, bytes] of [
    ['an MBR', mbrImage()],
    ['a GPT', gptImage()],
    ['a FAT volume', fatImage()],
    ['a luks of version 1', luksImage()],
  ] as const)
    says(`${what} declared raw is taken, virtual_size its bytes`, async ({ demo, image }) => {
      const id = await image({ disk_format: 'raw' });
      (await demo.upload(id, bytes)).is(204);
      (await demo.show(id)).has({ virtual_size: bytes.length });
    });

  says('an iso that is a GPT too is an iso', async ({ demo, image }) => {
    const hybrid = patched(gptImage(), [32 * 1024, byte(1)], [32 * 1024 + 1, text('CD001')]);
    (await demo.upload(await image({ disk_format: 'iso' }), hybrid)).is(204);
  });

  says('other containers than bare are not looked into', async ({ demo, image }) => {
    for (const container of ['ovf', 'ova', 'docker', 'compressed']) {
      const id = await image({ disk_format: 'qcow2', container_format: container });
      (await demo.upload(id, plain(70_000))).is(204);
    }
  });

  says('two formats in one file are refused', async ({ demo, image }) => {
    const both = patched(
      Buffer.concat([qcow2Image(), new Uint8Array(64 * 1024)]),
      [32 * 1024, byte(1)],
      [32 * 1024 + 1, text('CD001')],
    );
    for (const format of ['qcow2', 'iso', 'raw'])
      (await demo.upload(await image({ disk_format: format }), both)).is(415);
  });
});
