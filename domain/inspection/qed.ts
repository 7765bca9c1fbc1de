import { spells } from './fields.ts';
import type { Format } from './format.ts';
import { Unsafe } from './unsafe.ts';

/** Known only to be refused: no hypervisor in use needs it, and it can name a backing file. */
export const qed: Format = {
  name: 'qed',

  recognises: (head) => spells(head, 0, 'QED\0'),

  // biome-ignore lint/correctness/useYield: it needs no byte beyond the signature
  *examine() {
    throw new Unsafe('The image is QED, which is never accepted: convert it to qcow2 or raw.');
  },
};
