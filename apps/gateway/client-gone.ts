/** The connection ended, or fell silent, before the exchange was complete. There is nobody to answer. */
export class ClientGone extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ClientGone';
  }
}
