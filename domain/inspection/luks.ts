import { finalSize, requireWithin } from './asking.ts';
import { fields, spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const headerBytes = 592;

/** Layout: LUKS On-Disk Format Specification 1.2, table 1. Numbers are big-endian, offsets count 512-byte sectors. */
export const luks: Format = {
  name: 'luks',

  recognises: (head) => spells(head, 0, 'LUKS\xba\xbe'),

  *examine(head) {
    const header = fields(head, 'big', 'the LUKS header');
    const version = header.u16(6);
    if (version !== 1) {
      throw new Unsafe(
        `The image is LUKS version ${version}; only version 1 is accepted: encrypt it again with LUKS1.`,
      );
    }
    requireWithin(head.length, 0, headerBytes, 'its LUKS header');
    const payload = header.u32(104) * 512;
    if (payload < headerBytes) {
      throw new Unsafe(
        'The LUKS image is damaged or a detached header: its payload does not follow its header.',
      );
    }
    const size = yield* finalSize();
    if (payload > size) {
      throw new Unsafe(
        `The LUKS image has ${size} bytes, but its payload starts at ${payload}: upload it whole.`,
      );
    }
    return size - payload;
  },
};
