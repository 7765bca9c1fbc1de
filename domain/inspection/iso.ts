import { finalSize } from './asking.ts';
import { latin1 } from './fields.ts';
import type { Format } from './format.ts';

const sectorBytes = 2048;
/** The descriptors start after 16 sectors left to the system (ECMA-119, 6.2.1; ECMA-167, 2/8.3). */
const firstDescriptor = 16;
const lastDescriptor = 32;

/** ISO 9660, UDF, and both in one. A disc is its own disk: the virtual size is the byte count. */
export const iso: Format = {
  name: 'iso',

  recognises(head) {
    const first = identifierAt(head, firstDescriptor);
    if (first === 'CD001' || isUdf(first)) return true;
    return first === 'BEA01' && identifiersAfter(head, firstDescriptor).some(isUdf);
  },

  *examine() {
    return yield* finalSize();
  },
};

const isUdf = (identifier: string) => identifier === 'NSR02' || identifier === 'NSR03';

const identifierAt = (head: Uint8Array, sector: number): string =>
  latin1(head.subarray(sector * sectorBytes + 1, sector * sectorBytes + 6));

function identifiersAfter(head: Uint8Array, sector: number): readonly string[] {
  return Array.from({ length: lastDescriptor - sector }, (_, index) =>
    identifierAt(head, sector + 1 + index),
  );
}
