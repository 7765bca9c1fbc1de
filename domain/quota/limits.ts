import type { Amounts } from './resources.ts';

/** Who says how much a project may have. */
export interface Limits {
  /** Absent is no limit. Rejects with `LimitsUnavailable`. */
  limitsOf(projectId: string): Promise<Amounts>;
}

/** Nobody can say just now how much a project may have; the cause tells the operator why. */
export class LimitsUnavailable extends Error {
  constructor(cause: unknown) {
    super('The limits of the project cannot be looked up just now. Nothing was changed.', {
      cause,
    });
    this.name = 'LimitsUnavailable';
  }
}
