import type { Decider } from '../decider.ts';
import { Refused } from '../refused.ts';
import { type BulkAccess, unknownBulk } from './access.ts';
import { type BulkCallerCommand, type BulkCommand, ruleOfBulk } from './commands.ts';
import type { BulkEvent, Settled } from './events.ts';
import { type Bulk, evolve, isOver, isPresent, type PresentBulk, settledOf } from './state.ts';

export type BulkDecider = Decider<Bulk, BulkCommand, BulkEvent>;

/** An import of many images as one thing that can be paused, cancelled, tried again and looked at. */
export const bulkDecider = (access: BulkAccess): BulkDecider => ({
  initial: { status: 'absent' },
  evolve,
  decide(command, state) {
    if (command.type === 'RequestBulkImport') return decideRequest(command, state, access);
    if (!isPresent(state)) throw unknownBulk();
    switch (command.type) {
      case 'ListBulkItems':
        return decideListing(command, state);
      case 'AbandonBulkImport':
        return state.status === 'listing' ? [{ type: 'BulkImportAbandoned', data: {} }] : [];
      case 'SettleBulkItems':
        return decideSettling(command, state);
      default:
        access.authorize(ruleOfBulk[command.type], state, command.caller);
        return decideForCaller(command, state);
    }
  },
});

function decideRequest(
  { caller, type, ...data }: BulkCommand & { readonly type: 'RequestBulkImport' },
  state: Bulk,
  access: BulkAccess,
): readonly BulkEvent[] {
  access.authorizeOwn(ruleOfBulk[type], caller);
  if (isPresent(state)) return [];
  return [{ type: 'BulkImportRequested', data: { ...data, authority: caller } }];
}

function decideListing(
  { first, items }: BulkCommand & { readonly type: 'ListBulkItems' },
  state: PresentBulk,
): readonly BulkEvent[] {
  if (state.status === 'abandoned')
    throw new Refused(
      'bulk-import-over',
      'The request took too long, and was given up. Ask again.',
    );
  if (first < state.listed) return [];
  return [{ type: 'BulkItemsListed', data: { first, items } }];
}

function decideForCaller(
  command: Exclude<BulkCallerCommand, { readonly type: 'RequestBulkImport' }>,
  state: PresentBulk,
): readonly BulkEvent[] {
  const { status, priority } = state;
  const over = (what: string): Refused =>
    new Refused('bulk-import-over', `A bulk import that is ${status} cannot be ${what}.`);
  switch (command.type) {
    case 'PauseBulkImport':
      if (status === 'paused') return [];
      if (status !== 'running') throw over('paused');
      return [{ type: 'BulkImportPaused', data: {} }];
    case 'ResumeBulkImport':
      if (status === 'running') return [];
      if (status !== 'paused') throw over('resumed');
      return [{ type: 'BulkImportResumed', data: {} }];
    case 'CancelBulkImport':
      if (status === 'cancelling' || status === 'cancelled') return [];
      if (isOver(state)) throw over('cancelled');
      return [{ type: 'BulkImportCancelled', data: {} }];
    case 'RetryBulkImport': {
      if (status !== 'running' && status !== 'paused' && status !== 'completed')
        throw over('tried again');
      const items = state.counts.failed;
      return items === 0 ? [] : [{ type: 'BulkImportRetried', data: { items } }];
    }
    case 'ReprioritizeBulkImport':
      if (isOver(state)) throw over('given another priority');
      if (priority === command.priority) return [];
      return [{ type: 'BulkImportReprioritized', data: { from: priority, to: command.priority } }];
  }
}

/** Which items are settled already is for who asks to know: it appends behind the last event that it has seen. */
function decideSettling(
  { settled, last }: BulkCommand & { readonly type: 'SettleBulkItems' },
  state: PresentBulk,
): readonly BulkEvent[] {
  if (isOver(state)) return [];
  const { attempt } = state;
  const facts = settled.map(
    (one: Settled): BulkEvent => ({
      type: 'BulkItemSettled',
      data: { ...one, attempt },
    }),
  );
  const after = facts.reduce(evolve, state as Bulk) as PresentBulk;
  const left = after.items - settledOf(after);
  if (left > 0 && !(last && state.status === 'cancelling')) return facts;
  const counts = { ...after.counts, cancelled: after.counts.cancelled + left };
  return [...facts, { type: 'BulkImportCompleted', data: { ...counts, bytes: after.bytes } }];
}
