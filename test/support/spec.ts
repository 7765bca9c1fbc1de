import assert from 'node:assert/strict';
import type { Decider } from '../../domain/decider.ts';
import { type RefusalCode, Refused } from '../../domain/refused.ts';
import { requireDecidedFact } from './told-outside.ts';

/** What a decision must come to. `records()` with no event: the command changes nothing. */
export interface Decision<Event> {
  records(...events: readonly Event[]): void;
  /** The rule that says no; `saying` must match what the caller reads. */
  refused(code: RefusalCode, saying?: RegExp): void;
}

/** Given facts, when a command, then facts or a refusal. */
export const specOf =
  <State, Command, Event>(decider: Decider<State, Command, Event>) =>
  (...events: readonly Event[]) => ({
    when(command: Command): Decision<Event> {
      const state = events.reduce(decider.evolve, decider.initial);
      const decide = () => decider.decide(command, state);
      return {
        records: (...expected) => {
          for (const fact of expected) requireDecidedFact(fact);
          assert.deepEqual(decide(), expected);
        },
        refused: (code, saying = /./) =>
          assert.throws(decide, (error) => {
            if (!(error instanceof Refused)) throw error;
            assert.equal(error.code, code);
            assert.match(error.message, saying);
            return true;
          }),
      };
    },
  });
