import {
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from 'nats';

/** A JetStream stream as we keep it: on disk, what is too old or too much goes first. 0 is no limit. */
export interface StreamShape {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly duplicateWindowMs: number;
  readonly replicas: number;
}

/** There is a stream of that name that we did not make, or made otherwise. */
export class StreamMismatch extends Error {
  constructor(name: string, differences: readonly string[]) {
    super(
      `the JetStream stream ${name} has another shape: ${differences.join('; ')}. Change it (nats stream edit), ` +
        'delete it (it is made again and filled from the log), or give another name with --nats-stream',
    );
    this.name = 'StreamMismatch';
  }
}

const unlimited = -1;

function configOf(shape: StreamShape): Partial<StreamConfig> & { name: string } {
  const { name, subjects, maxAgeMs, maxBytes, duplicateWindowMs, replicas } = shape;
  return {
    name,
    subjects: [...subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(maxAgeMs),
    max_bytes: maxBytes === 0 ? unlimited : maxBytes,
    duplicate_window: nanos(duplicateWindowMs),
    num_replicas: replicas,
  };
}

/** What must be as it is asked for; limits that we do not name are the operator's to set. */
const checked = [
  'subjects',
  'retention',
  'storage',
  'discard',
  'max_age',
  'max_bytes',
  'duplicate_window',
  'num_replicas',
] as const;

/** Makes the stream, or finds it as it should be. Rejects with `StreamMismatch` where it is another. */
export async function ensureStream(
  manager: JetStreamManager,
  shape: StreamShape,
): Promise<StreamInfo> {
  const found = await streamInfo(manager, shape.name);
  if (found === undefined) return manager.streams.add(configOf(shape));
  const differences = shapeDifferences(found, shape);
  if (differences.length > 0) throw new StreamMismatch(shape.name, differences);
  return found;
}

/** What of a stream is otherwise than it should be, for people to read. */
export function shapeDifferences({ config }: StreamInfo, shape: StreamShape): readonly string[] {
  const wanted = configOf(shape);
  const text = (value: unknown): string =>
    JSON.stringify(Array.isArray(value) ? [...value].sort() : value);
  return checked
    .filter((field) => text(config[field]) !== text(wanted[field]))
    .map((field) => `${field} is ${text(config[field])} and should be ${text(wanted[field])}`);
}

/** Undefined where there is no stream of that name. */
export async function streamInfo(
  manager: JetStreamManager,
  name: string,
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export const isNotFound = (error: unknown): boolean =>
  error instanceof NatsError && error.code === '404';
