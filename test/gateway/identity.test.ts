import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallerRefused } from '../../infra/identity/caller-refused.ts';
import { identityNone } from '../../infra/identity/none/identity.ts';

const identity = identityNone('admin:default:admin');
const callerOf = async (token?: string) =>
  (await identity.identify(token === undefined ? {} : { 'x-auth-token': token })).caller;

test('a token of three parts says who calls; roles are lower case and imply others', async () => {
  assert.deepEqual(await callerOf('ann:red:Member, Auditor'), {
    userId: 'ann',
    projectId: 'red',
    roles: ['member', 'reader', 'auditor'],
  });
  assert.deepEqual((await callerOf('ann:red:ADMIN')).roles, ['admin', 'member', 'reader']);
  assert.deepEqual((await callerOf('ann:red:')).roles, []);
  assert.equal((await callerOf('ann::reader')).projectId, null);
});

test('any other token, and none, is the default caller', async () => {
  const byDefault = { userId: 'admin', projectId: 'default', roles: ['admin', 'member', 'reader'] };
  for (const token of [undefined, '', 'secret', 'a:b', 'a:b:c:d'])
    assert.deepEqual(await callerOf(token), byDefault, token);
});

test('ids that no event should carry are refused', async () => {
  const longest = 'p'.repeat(255);
  assert.equal((await callerOf(`ann:${longest}:member`)).projectId, longest);
  for (const id of [`${longest}p`, 'nul%00', 'line%0Abreak', 'escape%1B'])
    for (const token of [`ann:${id}:member`, `${id}:red:member`])
      await assert.rejects(callerOf(token), CallerRefused, token);
});

test('a default caller that is none is refused at the start', () => {
  assert.throws(() => identityNone('nobody'), /user:project:role/);
});
