import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError, configFrom, environmentOf } from '../../infra/config/config.ts';

const directory = mkdtempSync(join(tmpdir(), 'daguerre-exports-'));
after(() => rmSync(directory, { recursive: true }));

const read = (targets: string) => {
  const path = join(directory, 'daguerre.yaml');
  writeFileSync(path, targets === '' ? '' : `audit-export-targets:\n${targets}`);
  return configFrom(['--config', path, '--data-dir', '/data'], {})['audit-export-targets'];
};

function problems(targets: string): string {
  try {
    read(targets);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

const several = `
  - { id: files, type: file }
  - { id: siem, type: syslog, host: logs.example.org, format: cadf, ca-file: /etc/ca.pem }
  - { id: collector, type: otlp, url: "http://127.0.0.1:4318", from: now, personal: false }
  - { id: hook, type: http, url: "https://example.org/in", headers: { Authorization: "Bearer t" } }
`;

describe('Targets of the audit export', () => {
  test('are none where nothing is said', () => {
    assert.deepEqual(read(''), []);
  });

  test('are read from the file, with defaults that fit most', () => {
    const [files, siem, collector, hook] = read(several);
    assert.deepEqual(files, {
      ...{ id: 'files', type: 'file', format: 'event', from: 'start', personal: true },
      ...{ 'max-bytes': 64 * 1024 * 1024, 'max-age-seconds': 3_600 },
    });
    assert.deepEqual(siem, {
      ...{ id: 'siem', type: 'syslog', format: 'cadf', from: 'start', personal: true },
      ...{ host: 'logs.example.org', tls: true, facility: 13, 'enterprise-number': 32_473 },
      ...{ 'ca-file': '/etc/ca.pem', 'max-message-bytes': 8_192, 'timeout-ms': 15_000 },
    });
    assert.deepEqual([collector?.from, collector?.personal], ['now', false]);
    assert.deepEqual(hook?.type === 'http' && [hook.headers, hook['max-records']], [
      { Authorization: 'Bearer t' },
      100,
    ]);
  });

  test('reach a child process as they are, and none reaches it as none', () => {
    for (const targets of [several, '']) {
      const path = join(directory, 'daguerre.yaml');
      const parent = read(targets);
      const config = configFrom(targets === '' ? [] : ['--config', path], { HOME: '/' });
      assert.deepEqual(configFrom([], environmentOf(config))['audit-export-targets'], parent);
    }
  });

  for (const [wrong, says] of [
    ['  - { type: file }', /entry 1: id must be a name/],
    ['  - { id: "a b", type: file }', /id must be a name of letters, digits, dots/],
    ['  - { id: a, type: kafka }', /entry 1: type must be file, syslog, http or otlp/],
    ['  - { id: a, type: syslog }', /host must be text/],
    [
      '  - { id: a, type: syslog, host: h, port: 0 }',
      /port must be a whole number from 1 to 65535/,
    ],
    [
      '  - { id: a, type: syslog, host: h, url: u }',
      /there is no url of a target of this type, but id, /,
    ],
    ['  - { id: a, type: http, url: ftp://x }', /url must be an address that begins with http/],
    ['  - { id: a, type: http, url: "http://x", headers: { "a b": c } }', /headers must be names/],
    ['  - { id: a, type: otlp, url: "http://x", format: xml }', /format must be event or cadf/],
    ['  - { id: a, type: file, from: yesterday }', /from must be start or now/],
    ['  - { id: a, type: file, personal: perhaps }', /personal must be true or false/],
    ['  - { id: a, type: file }\n  - { id: a, type: file }', /two targets have the id a/],
    ['  - { id: a, type: file, dir: /d }\n  - { id: b, type: file, dir: /d }', /the directory \/d/],
    [
      '  - { id: a, type: syslog, host: h, cert-file: /c }',
      /entry 1: cert-file and key-file belong/,
    ],
    ['  none', /must be a list of targets/],
  ] as const)
    test(`are refused: ${wrong.trim()}`, () => {
      assert.match(problems(wrong), says);
      assert.match(problems(wrong), /^audit-export-targets in /);
    });

  test('are refused without saying what may be secret', () => {
    const wrong = '  - { id: a, type: http, url: "http://x", headers: { A: "top secret" }, x: 1 }';
    assert.ok(!problems(wrong).includes('top secret'));
  });
});
