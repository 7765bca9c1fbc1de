import type { Caller } from '../../domain/image/access.ts';
import type { ImageRecord } from '../../projections/images/record.ts';

/**
 * Answers to listings, each good for the very page that it was made of, the same caller and the same question. They last
 * as long as the page: whoever keeps pages in memory decides how long that is.
 */
export interface PageAnswers {
  /** `make` is called where there is no answer yet. */
  of(
    page: readonly ImageRecord[],
    caller: Caller,
    question: string,
    make: () => string,
  ): Uint8Array;
}

interface Answer {
  readonly caller: Caller;
  readonly question: string;
  readonly bytes: Buffer;
}

/** Callers who are shown the same page take turns at these. */
const mostOfPage = 8;

export function pageAnswers(): PageAnswers {
  const answers = new WeakMap<readonly ImageRecord[], Answer[]>();
  return {
    of(page, caller, question, make) {
      const those = answers.get(page) ?? [];
      const known = those.find((one) => one.caller === caller && one.question === question);
      if (known !== undefined) return known.bytes;
      const bytes = Buffer.from(make());
      if (those.unshift({ caller, question, bytes }) > mostOfPage) those.pop();
      answers.set(page, those);
      return bytes;
    },
  };
}
