import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { policyCommand } from '../../apps/cli/policy.ts';
import { standalone } from '../../apps/standalone/standalone.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
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

describe('daguerre policy', () => {
  const printed = async (t: TestContext, ...args: readonly string[]): Promise<string> => {
    const said: string[] = [];
    const write = t.mock.method(process.stdout, 'write', (text: string) => said.push(text) > 0);
    assert.equal(await policyCommand.run(args, {}), 0);
    write.mock.restore();
    return said.join('');
  };

  test('prints every rule in force, as a policy file that means the same', async (t) => {
    const path = fileOf('add_image: "role:builder or rule:context_is_admin"');
    const text = await printed(t, '--policy-file', path);
    assert.match(text, /^"add_image": "role:builder or rule:context_is_admin"$/m);
    assert.match(text, /^"context_is_admin": "role:admin"$/m);
    assert.equal(await printed(t, '--policy-file', fileOf(text)), text);
  });

  test('refuses what a start would refuse', async () => {
    for (const [name, text] of [
      ['policy-file', 'add_imag: ""'],
      ['property-protection-file', '[a]'],
      ['schema-image-file', '{"name": {}}'],
    ] as const)
      await assert.rejects(policyCommand.run([`--${name}`, fileOf(text)], {}), ConfigError, name);
  });
});

describe('a file of property protections', () => {
  const everyKey = (who: string) =>
    ['create', 'read', 'update', 'delete'].map((key) => `${key} = ${who}`).join('\n');
  const start = async (t: TestContext, ...args: readonly string[]) => {
    const said = t.mock.method(process.stderr, 'write', () => true);
    const code = await standalone(['--data-dir', join(directory, 'data'), ...args], {});
    said.mock.restore();
    return { code, text: String(said.mock.calls[0]?.arguments[0]) };
  };

  test('may name rules that only the policy file has', () => {
    const rules = operatorsRules({
      'policy-file': fileOf('keepers: "role:keeper"'),
      'property-protection-file': fileOf(`[.*]\n${everyKey('keepers')}`),
      'property-protection-rule-format': 'policies',
    });
    const may = (role: string) =>
      rules.protections.forbidding('read', 'a', { userId: 'u', projectId: 'p', roles: [role] });
    assert.deepEqual([may('keeper'), may('admin')], [undefined, '.*:read']);
  });

  test('that cannot be used ends the start with exit code 2, by section and key', async (t) => {
    const path = fileOf(`[^a]\n${everyKey('@,!')}\n[(b]\n${everyKey('@')}`);
    const { code, text } = await start(t, '--property-protection-file', path);
    assert.equal(code, 2);
    for (const problem of ['[^a] create has both', '[^a] delete has both', '[(b] is no expression'])
      assert.ok(text.includes(`${path}: ${problem}`), text);
  });

  test('that is not there ends the start, by its setting', async (t) => {
    const path = join(directory, 'missing.conf');
    const { code, text } = await start(t, '--property-protection-file', path);
    assert.equal(code, 2);
    assert.match(text, /--property-protection-file .*missing\.conf: ENOENT/);
  });

  test('with a rule that the policy does not have ends the start, by that rule', async (t) => {
    const { code, text } = await start(
      t,
      '--property-protection-file',
      fileOf(`[^a]\n${everyKey('nowhere')}`),
      '--property-protection-rule-format',
      'policies',
    );
    assert.equal(code, 2);
    assert.match(text, /\[\^a\] update: "nowhere" is no rule of the policy/);
  });
});
