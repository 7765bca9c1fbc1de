import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressGuard } from '../../infra/net/address-guard.ts';
import { guardedRequest } from '../../infra/net/guarded-request.ts';

const timersNow = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;

/** What it left would reject later with nobody there to hear, which ends the whole process. */
test('a request that was called off before it began leaves nothing running', async () => {
  const nobody = () => assert.fail('nobody is to be asked');
  const guard: AddressGuard = { examine: nobody, admit: async () => nobody() };
  const before = timersNow();
  const ask = { method: 'GET', timeoutMs: 60_000, signal: AbortSignal.abort() } as const;
  await assert.rejects(guardedRequest(guard, 'http://a.example/', ask), { name: 'AbortError' });
  assert.equal(timersNow(), before);
});
