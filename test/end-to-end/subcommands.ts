import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, clientsWith, succeeded } from '../support/clients.ts';

/** Every subcommand of the installed glance, but for what only helps its user. */
export async function glanceSubcommands(): Promise<readonly string[]> {
  const words = (await succeeded(clientsWith({}).glance('bash-completion'))).trim().split(/\s+/);
  return words.filter((word) => !word.startsWith('-') && word !== 'help');
}

/** Every `openstack image ...` of the installed openstack. */
export async function openstackSubcommands(): Promise<readonly string[]> {
  const { openstack } = clientsWith({});
  const groups: readonly { Commands: readonly string[] }[] = JSON.parse(
    await succeeded(openstack('command', 'list', '--group', 'openstack.image', '-f', 'json')),
  );
  return groups.flatMap(({ Commands }) => Commands);
}

/** What no refusal looks like: a client that could not read the answer, or a server that did not foresee the question. */
const broken =
  /Traceback|has no attribute|object is not|not iterable|KeyError|TypeError|HTTP N\/A|Internal Server Error|unexpected condition/;

/** A client whose first words are its subcommand, which it notes; rejects when it broke at what it was answered. */
export function watched(client: Client, noted: Set<string>): Client {
  return async (...args) => {
    const firstOption = args.findIndex((word) => word.startsWith('-'));
    const words = firstOption < 0 ? args : args.slice(0, firstOption);
    for (let count = 1; count <= words.length; count++) noted.add(words.slice(0, count).join(' '));
    const said = await client(...args);
    assert.doesNotMatch(said.all, broken, `${args.join(' ')} broke the client`);
    return said;
  };
}

/**
 * Registers the test that names each subcommand which none of the tests before it has run, unless another test is for
 * it: `elsewhere` tells.
 */
export function testThatAllWereRun(
  subcommands: () => Promise<readonly string[]>,
  noted: ReadonlySet<string>,
  elsewhere: (subcommand: string) => boolean = () => false,
): void {
  test('no subcommand of the installed client is left out', async () => {
    const all = await subcommands();
    assert.ok(all.length > 5, `the client tells of ${all}`);
    assert.deepEqual(
      all.filter((name) => !elsewhere(name) && !noted.has(name)),
      [],
    );
  });
}
