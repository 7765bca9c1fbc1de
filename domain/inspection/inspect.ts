import { bytesUpTo, finalSize, type Inspecting } from './asking.ts';
import { type Format, headBytes } from './format.ts';
import { gpt } from './gpt.ts';
import { iso } from './iso.ts';
import { luks } from './luks.ts';
import { qcow2 } from './qcow2.ts';
import { qed } from './qed.ts';
import { Unsafe } from './unsafe.ts';
import { vdi } from './vdi.ts';
import { fixedVhd, vhd } from './vhd.ts';
import { vhdx } from './vhdx.ts';
import { vmdk } from './vmdk.ts';

/** What the image record says of its data: `disk_format` and `container_format`. */
export interface Declared {
  readonly diskFormat: string;
  readonly containerFormat: string;
}

export type Verdict =
  | {
      readonly accepted: true;
      /** The real format: `raw` if none was recognised, the declared one where nothing is inspected. */
      readonly format: string;
      /** In bytes; null where nobody can know it. */
      readonly virtualSize: number | null;
      readonly warning?: string;
    }
  | {
      readonly accepted: false;
      /** For the image's owner: what was found and what to do. */
      readonly reason: string;
      /** The formats whose signatures were found, joined by `+`; null if none. */
      readonly detected: string | null;
    };

const formats: readonly Format[] = [qcow2, vhd, vhdx, vmdk, vdi, qed, iso, gpt, luks];

/**
 * Finds the real format of an object's bytes and whether they may be served as what they are declared to be.
 * Pure: the driver answers each `ByteRequest` that is yielded, at most `maxRequests` of at most `maxRequestBytes`.
 * Rules: Glance API v2, "Format inspection"; what goes beyond them is said at each format.
 */
export function* inspect(declared: Declared): Inspecting<Verdict> {
  if (declared.containerFormat !== 'bare') return asDeclared(declared);
  const head = yield* bytesUpTo(0, headBytes);
  // a snapshot of a volume-backed server is an image without data, of any declared format
  if (head.length === 0) return asDeclared(declared);

  const recognised = formats.filter((format) => format.recognises(head));
  const detected = recognised.map(({ name }) => name).join('+') || null;
  try {
    const format = onlyOne(recognised);
    return format
      ? yield* judgeRecognised(declared.diskFormat, format, head)
      : yield* judgeUnrecognised(declared);
  } catch (error) {
    if (error instanceof Unsafe) return { accepted: false, reason: error.message, detected };
    throw error;
  }
}

const asDeclared = ({ diskFormat }: Declared): Verdict => ({
  accepted: true,
  format: diskFormat,
  virtualSize: null,
});

/** A bootable disc has a partition table too, and is a disc. Of any other mixture each reader would see something else. */
function onlyOne(recognised: readonly Format[]): Format | undefined {
  if (recognised.length <= 1) return recognised[0];
  if (recognised.every((format) => format === iso || format === gpt)) return iso;
  const names = recognised.map(({ name }) => name).join(' and ');
  throw new Unsafe(`The image looks like ${names} at once: convert it into a single clean format.`);
}

function* judgeRecognised(
  diskFormat: string,
  format: Format,
  head: Uint8Array,
): Inspecting<Verdict> {
  if (diskFormat === format.name) {
    return { accepted: true, format: format.name, virtualSize: yield* format.examine(head) };
  }
  if (diskFormat !== 'raw') {
    throw new Unsafe(
      `The image is declared ${diskFormat}, but its content is ${format.name}: set disk_format to ${format.name} or convert it.`,
    );
  }
  yield* format.examine(head);
  return {
    accepted: true,
    format: format.name,
    virtualSize: yield* finalSize(),
    warning: `The image is declared raw, but its content is ${format.name}; it is kept as raw bytes.`,
  };
}

function* judgeUnrecognised(declared: Declared): Inspecting<Verdict> {
  const { diskFormat } = declared;
  if (diskFormat === 'raw') {
    return { accepted: true, format: 'raw', virtualSize: yield* finalSize() };
  }
  if (diskFormat === 'vhd') {
    const virtualSize = yield* fixedVhd();
    if (virtualSize !== null) return { accepted: true, format: 'vhd', virtualSize };
  }
  if (formats.some(({ name }) => name === diskFormat)) {
    throw new Unsafe(
      `The image is declared ${diskFormat}, but its content is not: upload the right file, or set disk_format to raw.`,
    );
  }
  return asDeclared(declared);
}
