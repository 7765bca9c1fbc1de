import type { ExportRecord } from '../../domain/export/record.ts';
import type { Reach } from './cursors.ts';

/** One target, opened. One call at a time; after one that rejected it is closed, and opened anew. */
export interface Sink {
  /** Most records that one `send` takes. */
  readonly most: number;
  /** Up to where the target itself is known to have everything; undefined where nobody knows but us. */
  readonly reach: Reach | undefined;
  /**
   * In order. Rejects when any may not have arrived: then all are sent again. With `Refused` when the target has them, and
   * does not take them.
   */
  send(records: readonly ExportRecord[]): Promise<void>;
  /** While there is nothing to send. */
  idle(): Promise<void>;
  /** Ends what waits for an answer: it rejects at once. */
  hangUp(): void;
  close(): Promise<void>;
}

/** The target answered that it does not take what it was sent: the same again would not help. */
export class Refused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Refused';
  }
}
