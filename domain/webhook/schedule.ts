/** Seconds from each failed attempt to the next (Standard Webhooks, "Deliverability and reliability"). */
export const usualRetrySeconds: readonly number[] = [
  5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
];

const mostRetryAfterMs = 86_400_000;

/**
 * Milliseconds until the next attempt, after so many that failed; the last step again and again. `chance`, from 0 to 1,
 * makes it a fifth longer at most. What the endpoint itself asked for (`Retry-After`) is the least, up to a day.
 */
export function retryDelayMs(
  steps: readonly number[],
  attempts: number,
  chance: number,
  retryAfterMs: number | null,
): number {
  const seconds = steps[Math.min(attempts, steps.length) - 1] ?? 0;
  const delayMs = seconds * 1_000 * (1 + chance / 5);
  return Math.max(delayMs, Math.min(retryAfterMs ?? 0, mostRetryAfterMs));
}
