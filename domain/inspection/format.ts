import type { Inspecting } from './asking.ts';

/** One disk format: how to know it, and what makes an image of it unsafe. */
export interface Format {
  /** As the Image API spells it in `disk_format`. */
  readonly name: string;
  /** Judges by the object's first bytes (`headBytes`, fewer if it is smaller). Never throws. */
  recognises(head: Uint8Array): boolean;
  /** Gives the virtual size in bytes. Throws `Unsafe` where the image is damaged or breaks a safety rule. */
  examine(head: Uint8Array): Inspecting<number>;
}

/** How much of the object's start is read before anything is decided. Covers every signature, and most headers whole. */
export const headBytes = 1024 * 1024;
