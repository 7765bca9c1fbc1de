import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordsOf } from '../../apps/export/records.ts';
import { cadfEvent } from '../../domain/export/cadf.ts';
import { admin, bob, startGateway } from '../support/gateway.ts';

test('exports tell of a download that this image was read, by whom, and whose it is', async (t) => {
  const gateway = await startGateway(t);
  const { log, history } = gateway.ports;
  const id = await gateway.createActive(Buffer.from('bytes'), { visibility: 'community' });
  const path = '/history/v1/projects/red/recording';
  await gateway.send('PUT', path, { downloads: 'on' }, admin);
  const before = await log.head();
  await gateway.send('PUT', path, { downloads: 'default' }, admin);
  await gateway.ask(`/v2/images/${id}/file`, { token: bob });
  const events = await log.readAll(before, 10);
  const people = { behind: async () => new Map() };
  const ports = { history: history.changes, people };
  const records = await recordsOf(events, ports, { personal: true });
  const told = records
    .map((record) => cadfEvent(record, 'RegionOne'))
    .map(({ name, action, outcome, initiator, target }) => [
      ...[name, action, outcome, initiator.id, initiator.project_id],
      ...[target.id, target.typeURI, target.project_id],
    ]);
  const [recording, ...others] = told;
  assert.deepEqual(recording?.slice(0, 5), [
    ...['DownloadRecordingSet', 'configure', 'success', 'root', 'operations'],
  ]);
  assert.deepEqual(others, [
    ['DownloadBegun', 'read', 'success', 'bob', 'blue', id, 'data/image/download', 'red'],
  ]);
});
