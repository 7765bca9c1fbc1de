/** The connection ended, or fell silent, before the exchange was complete. There is nobody to answer. */
export class ClientGone extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ClientGone';
  }
}

/** A client that neither sends nor reads for this long has gone without a word. */
export const silenceMs = 10 * 60_000;
