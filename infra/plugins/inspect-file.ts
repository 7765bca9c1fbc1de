import { open } from 'node:fs/promises';
import { maxRequestBytes, maxRequests } from '../../domain/inspection/asking.ts';
import { type Declared, inspect, type Verdict } from '../../domain/inspection/inspect.ts';
import { readFully } from '../files/files.ts';

/** Inspects a whole file. */
export async function inspectFile(path: string, declared: Declared): Promise<Verdict> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const inspecting = inspect(declared);
    let step = inspecting.next();
    for (let requests = 1; step.done !== true; requests++) {
      if (requests > maxRequests)
        throw new RangeError(`an inspection asked more than ${maxRequests} times`);
      if (step.value.kind === 'size') {
        step = inspecting.next(size);
        continue;
      }
      const { offset, length } = step.value;
      if (length > maxRequestBytes) throw new RangeError(`an inspection asked for ${length} bytes`);
      const into = new Uint8Array(Math.max(0, Math.min(offset + length, size) - offset));
      await readFully(file, into, offset);
      step = inspecting.next(into);
    }
    return step.value;
  } finally {
    await file.close();
  }
}
