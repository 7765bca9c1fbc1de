import { v5 } from 'uuid';

/** Namespace of Daguerre's event ids; fixed for ever. */
const namespace = '5d3a6c52-7a0e-5f0b-9a39-0a51d1c2f7e4';

/** UUIDv5 of (command id, type, index): the same command tried again gives the same ids. */
export const eventId = (commandId: string, type: string, index: number): string =>
  v5(`${commandId}/${type}/${index}`, namespace);
