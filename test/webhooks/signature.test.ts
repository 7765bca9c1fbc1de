import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { newSecret, signatures } from '../../infra/webhooks/signature.ts';
import { isSigned } from './receiver.ts';

const body = '{"test": 2432232314}';
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body };
const headersOf = (signature: string) => ({
  'webhook-id': message.id,
  'webhook-timestamp': String(message.timestamp),
  'webhook-signature': signature,
});
const received = (signature: string, text = body) => ({
  path: '/',
  headers: headersOf(signature),
  body: text,
  document: {},
});

describe('signatures', () => {
  test('are those that the specification publishes', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const key = { scheme: 'v1', secret: Buffer.from(secret.slice(6), 'base64') } as const;
    const signature = signatures([key], message);
    assert.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    assert.ok(isSigned(received(signature), secret));
    assert.ok(!isSigned(received(signature, `${body} `), secret));
  });

  for (const scheme of ['v1', 'v1a'] as const)
    test(`by a new secret of scheme ${scheme} verify with what is shown of it, and with no other`, () => {
      const { secret, shown, reference } = newSecret(scheme);
      const signature = signatures([{ scheme, secret }], message);
      assert.ok(signature.startsWith(`${scheme},`));
      assert.ok(isSigned(received(signature), shown));
      assert.ok(!isSigned(received(signature, '{}'), shown));
      assert.ok(!isSigned(received(signature), newSecret(scheme).shown));
      assert.equal(reference.fingerprint, createHash('sha256').update(secret).digest('hex'));
    });

  test('are several where several secrets stand, of either scheme', () => {
    const [old, young] = [newSecret('v1'), newSecret('v1a')];
    const signature = signatures(
      [
        { scheme: 'v1a', secret: young.secret },
        { scheme: 'v1', secret: old.secret },
      ],
      message,
    );
    assert.equal(signature.split(' ').length, 2);
    assert.ok(isSigned(received(signature), old.shown));
    assert.ok(isSigned(received(signature), young.shown));
  });

  test('of scheme v1 have a secret of 32 bytes, of which a reference tells nothing', () => {
    const { shown, reference, secret } = newSecret('v1');
    assert.equal(Buffer.from(shown.slice('whsec_'.length), 'base64').length, 32);
    const told = JSON.stringify(reference);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      assert.ok(!told.includes(Buffer.from(secret).toString(encoding)));
  });
});
