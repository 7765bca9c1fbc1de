/**
 * The erasure of somebody's personal records, in a stream of its own (`erasure-{uuid}`): first that it was asked for, then
 * what came of it. Who dies in between leaves an order that was not carried out, and it is given again. Both name the user
 * by the id that stays in the log anyway; outside nobody is told, since the stream is neither an image's nor a namespace's
 * (`domain/outside/exposure.ts`): who wanted to be forgotten is for auditors to know. Records that are as old as they may be
 * go in the same way, and nobody is named: all that were written before a moment, but for those under a legal hold.
 */
export type ErasureEvent =
  | { readonly type: 'PersonalErasureOrdered'; readonly data: { readonly userId: string } }
  | {
      readonly type: 'PersonalRecordsErased';
      readonly data: { readonly userId: string; readonly records: number };
    }
  /** `before` in ISO 8601. */
  | { readonly type: 'PersonalExpiryOrdered'; readonly data: { readonly before: string } }
  | {
      readonly type: 'PersonalRecordsExpired';
      readonly data: { readonly before: string; readonly records: number };
    };

export const erasureStream = (id: string): string => `erasure-${id}`;
