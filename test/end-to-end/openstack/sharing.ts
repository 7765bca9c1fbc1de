import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Client, refused, succeeded } from '../../support/clients.ts';
import { assertSameBytes } from '../same-bytes.ts';
import { created, namesIn, type OpenstackSite } from './site.ts';

/** An image that one project shares with another. */
export function sharingCommands(site: () => OpenstackSite): void {
  const members = async (client: Client, image: string): Promise<unknown> =>
    JSON.parse(await succeeded(client('image', 'member', 'list', '-f', 'json', image)));

  describe('sharing', () => {
    test('image add project to image remove project: the owner offers, the other answers', async () => {
      const { as, projectId, disk, directory } = site();
      const [demo, alt, admin] = [as('demo'), as('alt'), as('admin')];
      const project = await projectId('alt');
      const raw = ['--disk-format', 'raw', '--container-format', 'bare'];
      const { id } = await created(demo, ...raw, '--file', disk.path, '--shared', 'ours');
      const entry = (Status: string) => [{ 'Image ID': id, 'Member ID': project, Status }];
      const inListOfAlt = async (...args: readonly string[]) =>
        (await namesIn(alt, ...args)).includes('ours');

      assert.deepEqual(await members(demo, 'ours'), []);
      const viewer = as('viewer', 'demo');
      await refused(viewer('image', 'add', 'project', 'ours', project), /403.*add_member/s);
      const added = JSON.parse(
        await succeeded(demo('image', 'add', 'project', '-f', 'json', 'ours', project)),
      ) as Record<string, unknown>;
      assert.deepEqual([added.image_id, added.member_id, added.status], [id, project, 'pending']);
      await refused(demo('image', 'add', 'project', 'ours', project), /409|Conflict/);
      for (const client of [demo, alt, viewer])
        assert.deepEqual(await members(client, id), entry('pending'));
      assert.equal(await inListOfAlt(), false);
      assert.equal(await inListOfAlt('--shared', '--member-status', 'pending'), true);

      await refused(demo('image', 'set', '--accept', id), /403.*modify_member/s);
      await succeeded(alt('image', 'set', '--accept', id));
      assert.deepEqual(await members(demo, id), entry('accepted'));
      assert.equal(await inListOfAlt(), true);
      const copy = join(directory, 'copy-of-member');
      await succeeded(alt('image', 'save', '--file', copy, 'ours'));
      await assertSameBytes(copy, disk.path);
      await refused(alt('image', 'set', '--name', 'mine', 'ours'), /403/);

      await succeeded(alt('image', 'set', '--reject', 'ours'));
      assert.deepEqual(await members(alt, id), entry('rejected'));
      assert.equal(await inListOfAlt(), false);
      await succeeded(alt('image', 'set', '--pending', id));
      assert.deepEqual(await members(admin, id), entry('pending'));

      await refused(alt('image', 'remove', 'project', id, project), /403.*delete_member/s);
      await succeeded(demo('image', 'remove', 'project', 'ours', project));
      await refused(alt('image', 'show', id), /No Image found for/);
      assert.deepEqual(await members(demo, 'ours'), []);
    });

    test('an administrator shares by the name of a project; private images are not shared', async () => {
      const { as, projectId } = site();
      const { id } = await created(as('demo'), '--private', 'closed');
      const alt = await projectId('alt');
      await refused(as('demo')('image', 'add', 'project', id, alt), /403/);
      await succeeded(as('demo')('image', 'set', '--shared', id));
      await succeeded(as('admin')('image', 'add', 'project', id, 'alt'));
      await succeeded(as('alt')('image', 'show', id));
      await succeeded(as('admin')('image', 'remove', 'project', id, 'alt'));
      await refused(as('alt')('image', 'show', id), /No Image found for/);
    });
  });
}
