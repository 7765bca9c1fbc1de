export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

const leafLength = 8;

/** About how long a value is as JSON, without writing it out. */
export function roughLength(value: Json | undefined): number {
  if (typeof value === 'string') return leafLength + value.length;
  if (typeof value !== 'object' || value === null) return leafLength;
  let length = leafLength;
  for (const [name, inner] of Object.entries(value)) length += name.length + roughLength(inner);
  return length;
}
