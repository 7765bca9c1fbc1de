import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { standalone } from '../../apps/standalone/standalone.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { policyFrom } from '../../infra/policy/policy-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'daguerre-policy-'));
after(() => rmSync(directory, { recursive: true }));

const fileOf = (text: string): string => {
  const path = join(mkdtempSync(join(directory, 'file-')), 'policy.yaml');
  writeFileSync(path, text);
  return path;
};

const problemsOf = (path: string): readonly string[] => {
  try {
    policyFrom(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
};

describe('a policy file', () => {
  test('changes the rules that it names and no others', () => {
    const written = `# ours\n"publicize_image": "rule:context_is_admin or role:publisher"\nget_task: ''\n`;
    const policy = policyFrom(fileOf(written));
    const byDefault = policyFrom(undefined);
    const changed = [...policy.inForce].filter(
      ([name, rule]) => rule !== byDefault.inForce.get(name),
    );
    assert.deepEqual(changed.map(([name]) => name).sort(), ['get_task', 'publicize_image']);
    assert.deepEqual(policy.retired, ['get_task']);
  });

  test('may be empty, or JSON', () => {
    for (const text of ['', '# nothing yet\n', '{}'])
      assert.deepEqual(policyFrom(fileOf(text)).inForce, policyFrom(undefined).inForce, text);
    const json = policyFrom(fileOf('{"add_image": "role:builder"}'));
    assert.equal(json.inForce.get('add_image'), 'role:builder');
  });

  test('that is not there or no YAML is refused by its path', () => {
    assert.match(problemsOf(join(directory, 'missing.yaml'))[0] ?? '', /missing\.yaml.*ENOENT/);
    for (const text of ['add_image: [', 'a: 1\na: 2\n', '[1]', 'text', 'a: ""\n---\nb: ""\n']) {
      const path = fileOf(text);
      assert.ok(problemsOf(path)[0]?.includes(path), text);
    }
  });

  test('is refused with every problem at once, each by its rule', () => {
    const path = fileOf('delete_imag: ""\nadd_image: "role:"\nget_image: "rule:nowhere"\n');
    const lines = problemsOf(path);
    for (const name of ['delete_imag', 'add_image', 'get_image'])
      assert.equal(lines.filter((line) => line.includes(`"${name}"`)).length, 1, `${lines}`);
    assert.ok(lines.every((line) => line.startsWith(path)));
  });

  test('that is refused ends the start with exit code 2, before anything is made', async (t) => {
    const said = t.mock.method(process.stderr, 'write', () => true);
    const dataDir = join(directory, 'data');
    const args = ['--data-dir', dataDir, '--policy-file', fileOf('get_image: "role:"\n')];
    const code = await standalone(args, {});
    said.mock.restore();
    assert.equal(code, 2);
    assert.match(String(said.mock.calls[0]?.arguments[0]), /policy\.yaml: "get_image"/);
    assert.ok(!existsSync(dataDir));
  });
});
