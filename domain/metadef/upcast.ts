import type { JsonObject } from '../json.ts';

/** One step per released change, oldest first. Every event about metadata definitions is at version 1 so far. */
export const metadefSteps: Readonly<Record<string, readonly ((data: JsonObject) => JsonObject)[]>> =
  {};

/** Newest version per type, where it is above 1. */
export const metadefSchemaVersions: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(metadefSteps).map(([type, steps]) => [type, steps.length + 1]),
);
