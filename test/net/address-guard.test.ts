import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addressGuard,
  HostUnknown,
  type ReachRules,
  type Resolve,
  UrlRefused,
} from '../../infra/net/address-guard.ts';

const open: ReachRules = {
  allowedHosts: [],
  disallowedHosts: [],
  allowedPorts: [80, 443],
  disallowedPorts: [],
  allowedCidrs: [],
  disallowedCidrs: [],
};
const dns: Readonly<Record<string, readonly string[]>> = {
  'public.example': ['93.184.216.34', '2606:2800:220:1::1'],
  'inside.example': ['10.1.2.3'],
  'rebinding.example': ['93.184.216.34', '127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
};
const resolve: Resolve = async (host) => {
  const found = dns[host];
  if (found === undefined) throw new Error(`ENOTFOUND ${host}`);
  return found;
};
const guard = (rules: Partial<ReachRules> = {}) => addressGuard({ ...open, ...rules }, resolve);
const admits = async (url: string, rules?: Partial<ReachRules>) =>
  (await guard(rules).admit(url)).addresses;
const refuses = (url: string, rules?: Partial<ReachRules>) =>
  assert.rejects(guard(rules).admit(url), UrlRefused, url);

describe('the address guard', () => {
  test('lets public names and addresses through, with what it saw of them', async () => {
    assert.deepEqual(await admits('http://public.example/image'), dns['public.example']);
    assert.deepEqual(await admits('https://PUBLIC.example./image'), dns['public.example']);
    assert.deepEqual(await admits('http://93.184.216.34:80/'), ['93.184.216.34']);
    assert.deepEqual(await admits('http://[2606:2800:220:1::1]/'), ['2606:2800:220:1::1']);
  });

  const special = [
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.0.9', '169.254.169.254'],
    ...[
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
    ],
    ...[
      '[::]',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:8.8.8.8]',
      '[::127.0.0.1]',
      '[64:ff9b::7f00:1]',
    ],
    ...['[fe80::1]', '[fc00::1]', '[fd12:3456::1]', '[ff02::1]', '[2002:7f00:1::]', '[2001::1]'],
    ...['[2001:db8::1]', '[fec0::1]', '[100::1]', '[::ffff:0:7f00:1]', '[0:0:0:0:0:ffff:7f00:1]'],
  ];
  for (const host of special) test(`keeps away from ${host}`, () => refuses(`http://${host}/`));

  for (const name of ['inside', 'rebinding', 'metadata', 'mapped'])
    test(`keeps away from ${name}.example by what it resolves to`, () =>
      refuses(`http://${name}.example/`));

  const spellings = [
    ...['127.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.0.0.1.', '0x7f.1', '127.0.1'],
    ...['93.184.55518', '0135.184.216.34', '%39%33.184.216.34', '９３.184.216.34'],
  ];
  for (const host of spellings)
    test(`takes no address spelt ${host}`, async () => {
      await refuses(`http://${host}/`);
      await refuses(`http://${host}/`, { allowedCidrs: ['0.0.0.0/0'] });
    });

  const forms = [
    ...[
      'file:///etc/passwd',
      'ftp://public.example/',
      'gopher://public.example/',
      'public.example',
    ],
    ...[
      'http:public.example',
      'http:///public.example',
      'http:\\\\public.example\\x',
      ' http://a/',
    ],
    ...['http://user@public.example/', 'http://user:pw@public.example/', 'http://@public.example/'],
    ...['http://public.example\\@inside.example/', 'http://public.example/a b', 'http://', ''],
    ...['http://[fe80::1%25eth0]/', 'http://public.example:8080/', 'https://public.example:22/'],
    ...['http://public.example:0/', 'http://pub\tlic.example/'],
  ];
  for (const url of forms) test(`takes no ${JSON.stringify(url)}`, () => refuses(url));

  test('goes to special addresses that are allowed by network', async () => {
    const rules = { allowedCidrs: ['10.0.0.0/8', 'fd00::/8'] };
    assert.deepEqual(await admits('http://inside.example/', rules), ['10.1.2.3']);
    assert.deepEqual(await admits('http://[fd00::1]/', rules), ['fd00::1']);
    assert.deepEqual(await admits('http://public.example/', rules), dns['public.example']);
    await refuses('http://127.0.0.1/', rules);
    await refuses('http://[::ffff:10.0.0.1]/', rules);
  });

  test('goes to hosts that are allowed by name wherever they are, and to no others', async () => {
    const rules = { allowedHosts: ['inside.example', '127.0.0.1'] };
    assert.deepEqual(await admits('http://inside.example/', rules), ['10.1.2.3']);
    assert.deepEqual(await admits('http://127.0.0.1/', rules), ['127.0.0.1']);
    await refuses('http://public.example/', rules);
    await refuses('http://93.184.216.34/', rules);
    await refuses('http://sub.inside.example/', rules);
  });

  test('goes nowhere that is disallowed, allowed or not', async () => {
    await refuses('http://public.example/', { disallowedHosts: ['public.example'] });
    await refuses('http://public.example./', { disallowedHosts: ['public.example'] });
    await refuses('http://public.example/', { disallowedCidrs: ['93.184.0.0/16'] });
    await refuses('http://inside.example/', {
      allowedHosts: ['inside.example'],
      disallowedCidrs: ['10.0.0.0/8'],
    });
    await refuses('http://public.example/', { disallowedPorts: [80] });
  });

  test('tells a name that is not there from one that is refused', async () => {
    await assert.rejects(guard().admit('http://nowhere.example/'), HostUnknown);
  });

  test('says what needs no DNS at once', () => {
    assert.equal(guard().examine('http://inside.example/').hostname, 'inside.example');
    assert.throws(() => guard().examine('http://127.0.0.1/'), UrlRefused);
  });
});
