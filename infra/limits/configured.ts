import type { Limits } from '../../domain/quota/limits.ts';
import type { Amounts } from '../../domain/quota/resources.ts';

/** The same limits for every project. */
export const configuredLimits = (limits: Amounts): Limits => ({ limitsOf: async () => limits });
