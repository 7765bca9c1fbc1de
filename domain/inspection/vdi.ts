import { finalSize, requireWithin } from './asking.ts';
import { fields } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

const signature = 0xbeda107f;
const version11 = 0x0001_0001;

/** VirtualBox disk image 1.1. Layout: QEMU block/vdi.c, comment at the top. All numbers are little-endian. */
export const vdi: Format = {
  name: 'vdi',

  recognises: (head) =>
    head.length >= 68 && fields(head, 'little', 'the VDI header').u32(64) === signature,

  *examine(head) {
    const header = fields(head, 'little', 'the VDI header');
    const version = header.u32(68);
    if (version !== version11) {
      throw new Unsafe(
        `The image is VDI version ${version >>> 16}.${version & 0xffff}; only 1.1 is accepted: convert it with VBoxManage or qemu-img.`,
      );
    }
    refuseParent(header.u32(76), header.isZero(424, 32));
    const virtualSize = header.u64(368);
    const blockBytes = header.u32(376);
    const blocks = header.u32(384);
    if (blocks * blockBytes < virtualSize) {
      throw new Unsafe(
        `The VDI image is damaged: its ${blocks} blocks cannot hold its ${virtualSize} bytes.`,
      );
    }
    requireWithin(yield* finalSize(), header.u32(340), blocks * 4, 'its block map');
    return virtualSize;
  },
};

/** Types: 1 dynamic, 2 fixed, 3 undo, 4 differencing; the last two lean on another file. */
function refuseParent(type: number, linksToNothing: boolean): void {
  if ((type === 1 || type === 2) && linksToNothing) return;
  throw new Unsafe(
    'The VDI image depends on a parent image, which is not part of the upload: clone it into a full image.',
  );
}
