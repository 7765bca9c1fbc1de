/** Ids or roles that nobody has been given by an identity service: too long to be kept, or with control characters. */
export class CallerRefused extends Error {
  constructor() {
    super('The ids of a user and a project are at most 255 characters, none of them a control.');
    this.name = 'CallerRefused';
  }
}

/** An id goes into events, which are for ever, and into indexes, which are not for any length. */
export const isKeepable = (id: string | null): boolean =>
  id === null || (id.length <= 255 && !/[\p{Cc}\p{Surrogate}]/u.test(id));
