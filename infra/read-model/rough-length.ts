import type { Json } from '../../domain/json.ts';

const leaf = 8;

/** About how long a value is as JSON, without writing it out. */
export function roughLength(value: Json | undefined): number {
  if (typeof value === 'string') return leaf + value.length;
  if (typeof value !== 'object' || value === null) return leaf;
  let length = leaf;
  for (const [name, inner] of Object.entries(value)) length += name.length + roughLength(inner);
  return length;
}
