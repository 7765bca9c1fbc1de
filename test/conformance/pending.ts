/** Cases that Daguerre does not pass yet, under the name of the feature that will make them pass. */
export interface Pending {
  readonly feature: string;
  /** `section: statement`. */
  readonly cases: readonly string[];
}

/** It can only shrink: a case on it that passes fails the run. */
export const pending: readonly Pending[] = [];
