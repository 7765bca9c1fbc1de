import type { RefusalCode } from './refused.ts';

/** One fact of a stream `refusals-{YYYY-MM-DD}`, by UTC: a rule said no to somebody, who is in the metadata. */
export interface RequestRefused {
  readonly type: 'RequestRefused';
  readonly data: {
    /** Method and route. Null where requests of several kinds are counted together. */
    readonly action: string | null;
    /** Policy rule, for example `delete_image`. */
    readonly rule: string | null;
    /** Id of an image. */
    readonly target: string | null;
    readonly code: RefusalCode | null;
    /** 1 for the first of its actor, action and target; in later events, how many more came since. */
    readonly count: number;
  };
}

export const refusalStream = (at: Date): string => `refusals-${at.toISOString().slice(0, 10)}`;
