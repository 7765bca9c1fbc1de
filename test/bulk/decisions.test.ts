import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bulkAccess } from '../../domain/bulk/access.ts';
import { bulkDecider } from '../../domain/bulk/bulk.ts';
import type { BulkEvent, BulkItem, Outcome, Settled } from '../../domain/bulk/events.ts';
import { isSettled, marked } from '../../domain/bulk/marks.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { admin, attributes, member, reader, stranger } from '../domain/fixtures.ts';
import { specOf } from '../support/spec.ts';

const decider = bulkDecider(bulkAccess(parsePolicy(null)));
const given = specOf(decider);

const asked = {
  project: 'owners',
  name: 'mirror',
  priority: 'normal',
  items: 3,
  digest: 'd',
} as const;
const requested: BulkEvent = {
  type: 'BulkImportRequested',
  data: { ...asked, authority: member },
};
const item: BulkItem = {
  imageId: 'id',
  isIdGiven: false,
  attributes,
  named: ['name'],
  source: { kind: 'url', uri: 'http://mirror/a.qcow2' },
  expected: null,
  stores: ['file'],
  allStoresMustSucceed: true,
  members: [],
};
const listed: BulkEvent = {
  type: 'BulkItemsListed',
  data: { first: 0, items: [item, item, item] },
};
const paused: BulkEvent = { type: 'BulkImportPaused', data: {} };
const cancelled: BulkEvent = { type: 'BulkImportCancelled', data: {} };
const retried: BulkEvent = { type: 'BulkImportRetried', data: { items: 1 } };

const settled = (place: number, outcome: Outcome, bytes: number | null = null): Settled => ({
  item: place,
  name: 'cirros',
  imageId: 'id',
  outcome,
  reason: outcome === 'failed' ? 'source-gone' : null,
  message: null,
  bytes,
  startedAt: null,
});
const over = (place: number, outcome: Outcome, attempt = 1, bytes: number | null = null) =>
  ({
    type: 'BulkItemSettled',
    data: { ...settled(place, outcome, bytes), attempt },
  }) as const satisfies BulkEvent;
const completed = (counts: Partial<Record<Outcome, number>>, bytes = 0): BulkEvent => ({
  type: 'BulkImportCompleted',
  data: { done: 0, skipped: 0, updated: 0, failed: 0, cancelled: 0, ...counts, bytes },
});
const running = [requested, listed];
const finished = [
  ...running,
  over(0, 'done'),
  over(1, 'failed'),
  over(2, 'skipped'),
  completed({ done: 1, failed: 1, skipped: 1 }),
];

describe('a bulk import', () => {
  test('is asked for by members of a project, in their own name', () => {
    given()
      .when({ type: 'RequestBulkImport', caller: member, ...asked })
      .records(requested);
    given()
      .when({ type: 'RequestBulkImport', caller: reader, ...asked })
      .refused('not-allowed');
  });

  test('is not there for other projects, and readers may look only', () => {
    const pause = { type: 'PauseBulkImport' } as const;
    given(...running)
      .when({ ...pause, caller: stranger })
      .refused('bulk-import-unknown');
    given(...running)
      .when({ ...pause, caller: reader })
      .refused('not-allowed');
    given(...running)
      .when({ ...pause, caller: admin })
      .records(paused);
    given()
      .when({ ...pause, caller: member })
      .refused('bulk-import-unknown');
  });

  test('begins once all of its items are listed', () => {
    const first = { type: 'ListBulkItems', first: 0, items: [item] } as const;
    given(requested)
      .when(first)
      .records({ type: 'BulkItemsListed', data: { first: 0, items: [item] } });
    given(...running)
      .when(first)
      .records();
    given(requested).when({ type: 'PauseBulkImport', caller: member }).refused('bulk-import-over');
    given(requested)
      .when({ type: 'AbandonBulkImport' })
      .records({ type: 'BulkImportAbandoned', data: {} });
    given(...running)
      .when({ type: 'AbandonBulkImport' })
      .records();
    given(requested, { type: 'BulkImportAbandoned', data: {} })
      .when(first)
      .refused('bulk-import-over');
  });

  test('is completed with its last item', () => {
    const some = {
      type: 'SettleBulkItems',
      settled: [settled(0, 'done', 7)],
      last: false,
    } as const;
    given(...running)
      .when(some)
      .records(over(0, 'done', 1, 7));
    const rest = { ...some, settled: [settled(1, 'failed'), settled(2, 'skipped')] };
    given(...running, over(0, 'done', 1, 7))
      .when(rest)
      .records(
        over(1, 'failed'),
        over(2, 'skipped'),
        completed({ done: 1, failed: 1, skipped: 1 }, 7),
      );
    given(...finished)
      .when(some)
      .records();
  });

  test('goes to its end though it is paused, and can be paused and resumed twice', () => {
    const pause = { type: 'PauseBulkImport', caller: member } as const;
    const resume = { type: 'ResumeBulkImport', caller: member } as const;
    given(...running, paused)
      .when(pause)
      .records();
    given(...running, paused)
      .when(resume)
      .records({ type: 'BulkImportResumed', data: {} });
    given(...running)
      .when(resume)
      .records();
    given(...finished)
      .when(pause)
      .refused('bulk-import-over', /completed/);
    given(...running, paused, over(0, 'done'), over(1, 'done'))
      .when({ type: 'SettleBulkItems', settled: [settled(2, 'done')], last: false })
      .records(over(2, 'done'), completed({ done: 3 }));
  });

  test('that is cancelled counts what was never begun as cancelled', () => {
    const cancel = { type: 'CancelBulkImport', caller: member } as const;
    given(...running)
      .when(cancel)
      .records(cancelled);
    given(...running, cancelled)
      .when(cancel)
      .records();
    given(...finished)
      .when(cancel)
      .refused('bulk-import-over');
    const last = { type: 'SettleBulkItems', settled: [settled(0, 'done')], last: true } as const;
    given(...running, cancelled)
      .when(last)
      .records(over(0, 'done'), completed({ done: 1, cancelled: 2 }));
    given(...running)
      .when(last)
      .records(over(0, 'done'));
  });

  test('tries what failed again, and nothing else', () => {
    const retry = { type: 'RetryBulkImport', caller: member } as const;
    given(...finished)
      .when(retry)
      .records(retried);
    given(...running, over(0, 'done'))
      .when(retry)
      .records();
    given(...running, cancelled, completed({ cancelled: 3 }))
      .when(retry)
      .refused('bulk-import-over');
    given(...finished, retried)
      .when({ type: 'SettleBulkItems', settled: [settled(1, 'done')], last: false })
      .records(over(1, 'done', 2), completed({ done: 2, skipped: 1 }));
  });

  test('can be given another priority while it is not over', () => {
    const change = { type: 'ReprioritizeBulkImport', caller: member, priority: 'high' } as const;
    given(...running)
      .when(change)
      .records({ type: 'BulkImportReprioritized', data: { from: 'normal', to: 'high' } });
    given(...running)
      .when({ ...change, priority: 'normal' })
      .records();
    given(...finished)
      .when(change)
      .refused('bulk-import-over');
  });

  test('knows which of many items are settled', () => {
    const items = 2_500;
    const many: BulkEvent = {
      type: 'BulkImportRequested',
      data: { ...requested.data, items } as never,
    };
    const facts = [many, over(0, 'done'), over(1_000, 'failed'), over(2_499, 'skipped')];
    const marks = facts.reduce(marked, []);
    const settledPlaces = Array.from({ length: items }, (_, place) => place).filter((place) =>
      isSettled(marks, place),
    );
    assert.deepEqual(settledPlaces, [0, 1_000, 2_499]);
    assert.equal(isSettled(marked(marks, retried), 1_000), false);
    assert.equal(isSettled(marked(marks, retried), 2_499), true);
  });
});
