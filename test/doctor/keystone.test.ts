import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { doctor } from './doctor.ts';

describe('the doctor, of a real Keystone', () => {
  let keystone: Keystone;
  before(async () => {
    keystone = await startKeystone();
  });
  after(() => keystone?.stop());
  const settings = (more: Readonly<Record<string, string>> = {}) => ({
    DAGUERRE_IDENTITY: 'keystone',
    DAGUERRE_KEYSTONE_AUTH_URL: keystone.account.authUrl,
    DAGUERRE_KEYSTONE_USERNAME: keystone.account.username,
    DAGUERRE_KEYSTONE_PASSWORD: keystone.account.password,
    DAGUERRE_KEYSTONE_PROJECT_NAME: keystone.account.projectName,
    ...more,
  });

  test('finds the catalogue’s endpoint, and whether it is this one', async () => {
    await keystone.setImageUrl('http://127.0.0.1:9292');
    const asked = await doctor([], settings());
    const said = asked.findings.filter(({ of }) => of === 'keystone');
    assert.deepEqual(
      said.map(({ verdict }) => verdict),
      ['ok', 'ok'],
    );
    assert.match(said[1]?.says ?? '', /sends clients to http:\/\/127\.0\.0\.1:9292/);
    const elsewhere = await doctor(
      [],
      settings({ DAGUERRE_PUBLIC_ENDPOINT: 'https://i.example.org' }),
    );
    elsewhere.says('keystone', 'warn', /sends clients to .* public-endpoint is https:\/\/i\.exam/);
    const region = await doctor([], settings({ DAGUERRE_REGION: 'Mars' }));
    region.says('keystone', 'warn', /none in the region Mars/);
  });

  test('names a wrong password, and a Keystone that is away', async () => {
    const wrong = await doctor([], settings({ DAGUERRE_KEYSTONE_PASSWORD: 'wr0ng' }));
    wrong.says('keystone', 'fail', /does not let the service user .* in: status 401.*its password/);
    assert.ok(!JSON.stringify(wrong.findings).includes('wr0ng'));
    await keystone.kill();
    (await doctor([], settings())).says('keystone', 'fail', /ECONNREFUSED.*whether Keystone runs/);
  });
});
