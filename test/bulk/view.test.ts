import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImportDocument } from '../../apps/cli/bulk/documents.ts';
import { progressView, sizeText, timeText } from '../../apps/cli/bulk/view.ts';

const document = (done: number, status = 'running'): ImportDocument => ({
  id: 'id',
  name: null,
  status,
  priority: 'normal',
  images: 100,
  counts: { pending: 100 - done, done, failed: 0 },
  bytes: done * 1024,
  attempt: 1,
  created_at: '',
  in_work: [
    {
      item: 3,
      name: 'evil\u001b[2J\nname',
      status: 'fetching',
      source: '',
      uploaded: false,
      image: '',
      reason: null,
      message: null,
      bytes: 512 * 1024,
      bytes_total: 1024 * 1024,
      bytes_per_second: 2048,
    },
  ],
});

function shownOn(columns: number | undefined) {
  const written: string[] = [];
  const view = progressView({ columns, rows: 24, write: (text) => void written.push(text) });
  return { view, written };
}

describe('the view of an import', () => {
  test('has bars with rate and time left where there is a terminal', () => {
    const { view, written } = shownOn(120);
    view.show(document(0), 0);
    view.show(document(50), 10_000);
    const last = written.at(-1) ?? '';
    assert.match(
      last,
      /\[#{12}-{12}\] {2}50 % {2}running {2}50\/100, done 50, 5\.0 images\/s, 5\.0 KiB\/s, 0:10 left/,
    );
    assert.match(last, /\[#{12}-{12}\] evil\?\[2J\?name {2}512\.0 KiB of 1\.0 MiB, 2\.0 KiB\/s/);
    assert.ok(last.startsWith('\u001b[2A'), 'draws over what was there');
  });

  test('never writes beyond the terminal', () => {
    const { view, written } = shownOn(30);
    view.show(document(50), 0);
    for (const line of (written[0] ?? '').split('\n'))
      assert.ok(line.replaceAll('\u001b[2K', '').replaceAll('\r', '').length < 30, line);
  });

  test('is a line now and then elsewhere, and one at its end', () => {
    const { view, written } = shownOn(undefined);
    for (const second of [0, 1, 2, 3, 4, 5, 6]) view.show(document(second * 10), second * 1_000);
    view.show(document(100, 'completed'), 7_000);
    assert.equal(written.length, 3);
    assert.equal(written[0], 'running  0/100\n');
    assert.match(written[2] ?? '', /^completed {2}100\/100, done 100, /);
    assert.ok(written.every((line) => !line.includes('\u001b')));
  });

  test('says what an image waits for, with and without a terminal', () => {
    const [item] = document(0).in_work ?? [];
    assert.ok(item);
    const waiting = {
      ...document(0),
      in_work: [{ ...item, name: 'late', message: 'the host\nis away' }],
    };
    for (const columns of [120, undefined]) {
      const { view, written } = shownOn(columns);
      view.show(waiting, 0);
      assert.match(written[0] ?? '', /late.* waits: the host\?is away\n/);
    }
  });

  test('writes sizes and times for people', () => {
    assert.deepEqual([0, 1023, 1024, 5 * 1024 ** 3].map(sizeText), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '5.0 GiB',
    ]);
    assert.deepEqual([0, 61, 3_725].map(timeText), ['0:00', '1:01', '1:02:05']);
  });
});
