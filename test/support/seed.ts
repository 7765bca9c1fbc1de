import { randomInt } from 'node:crypto';

/** The seed of this run: `DAGUERRE_TEST_SEED`, else a fresh one. Whoever uses it prints it on failure. */
export function seedOfThisRun(): number {
  // biome-ignore lint/style/noProcessEnv: repeating a failed run is asked for by whoever runs the tests
  const asked = process.env.DAGUERRE_TEST_SEED;
  return asked === undefined ? randomInt(2 ** 31) : Number(asked);
}
