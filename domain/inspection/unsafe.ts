/** The bytes break a rule of their format. The message is one sentence for the image's owner: what was found, what to do. */
export class Unsafe extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Unsafe';
  }
}
