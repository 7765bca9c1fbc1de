import type { RefusalCode } from './refused.ts';

/** One fact of a day's streams of refusals: a rule said no to somebody, who is in the metadata. */
export interface RequestRefused {
  readonly type: 'RequestRefused';
  readonly data: {
    /** Method and route. Null where requests of several kinds are counted together. */
    readonly action: string | null;
    /** Policy rule, for example `delete_image`. */
    readonly rule: string | null;
    /** Id of an image or a webhook, or name of a namespace of metadata definitions. */
    readonly target: string | null;
    readonly code: RefusalCode | null;
    /** 1 for the first of its actor, action and target; in later events, how many more came since. */
    readonly count: number;
  };
}

/**
 * `refusals-{YYYY-MM-DD}-{writer}-{number}`, by UTC. Each gateway process writes streams of its own, so that it races
 * nobody and need not read what it did not write; who wants the day reads all that begin so.
 */
export const refusalStream = (at: Date, writer: string, number: number): string =>
  `refusals-${at.toISOString().slice(0, 10)}-${writer}-${number}`;
