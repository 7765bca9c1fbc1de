import { type OutsideType, outsideFacts } from '../../domain/outside/exposure.ts';
import { cloudEventType } from './cloud-event.ts';

const typeByName: ReadonlyMap<unknown, OutsideType> = new Map(
  outsideFacts.flatMap(({ kind, type }) => [
    [type, type],
    [cloudEventType(kind, type), type],
  ]),
);

/** A type by either of its names: as documents have it, and in short, as the log has it. Undefined where there is none. */
export const typeNamed = (name: unknown): OutsideType | undefined => typeByName.get(name);
