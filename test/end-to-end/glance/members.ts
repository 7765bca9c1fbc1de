import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pick, refused, rowsOf, succeeded, tableOf } from '../../support/clients.ts';
import { assertSameBytes } from '../same-bytes.ts';
import type { GlanceSite } from './site.ts';

/** An image that one project shares with another. */
export function memberCommands(site: () => GlanceSite): void {
  const shared = async (...args: readonly string[]): Promise<string> => {
    const { as, file } = site();
    const formats = ['--disk-format', 'raw', '--container-format', 'bare'];
    const create = as('demo')('image-create', '--name', 's', '--file', file, ...formats, ...args);
    return tableOf(await succeeded(create)).id ?? '';
  };
  const statuses = async (user: 'demo' | 'alt' | 'viewer', id: string) =>
    rowsOf(await succeeded(site().as(user)('member-list', '--image-id', id))).map((row) =>
      pick(row, 'Image ID', 'Member ID', 'Status'),
    );

  describe('members', () => {
    test('member-create to member-delete: the owner offers, the other answers', async () => {
      const { as, projectId, directory, file } = site();
      const [id, alt] = [await shared(), await projectId('alt')];
      const entry = (Status: string) => [{ 'Image ID': id, 'Member ID': alt, Status }];
      const inListOfAlt = async (...args: readonly string[]) =>
        (await succeeded(as('alt')('image-list', ...args))).includes(id);

      assert.deepEqual(await statuses('demo', id), []);
      await succeeded(as('demo')('member-create', id, alt));
      for (const user of ['demo', 'alt', 'viewer'] as const)
        assert.deepEqual(await statuses(user, id), entry('pending'));
      assert.equal(await inListOfAlt(), false);
      assert.equal(await inListOfAlt('--member-status', 'pending'), true);

      const member = tableOf(await succeeded(as('alt')('member-get', id, alt)));
      assert.deepEqual(pick(member, 'image_id', 'member_id', 'status', 'schema'), {
        image_id: id,
        member_id: alt,
        status: 'pending',
        schema: '/v2/schemas/member',
      });

      await refused(as('demo')('member-update', id, alt, 'accepted'), /HTTP 403 Forbidden/);
      const accepted = await succeeded(as('alt')('member-update', id, alt, 'accepted'));
      assert.equal(rowsOf(accepted)[0]?.Status, 'accepted');
      assert.equal(await inListOfAlt(), true);
      const copy = join(directory, 'copy-of-member');
      await succeeded(as('alt')('image-download', '--file', copy, id));
      await assertSameBytes(copy, file);
      await refused(as('alt')('image-update', '--name', 'mine', id), /HTTP 403 Forbidden/);

      await succeeded(as('alt')('member-update', id, alt, 'rejected'));
      assert.equal(await inListOfAlt(), false);
      await succeeded(as('alt')('image-show', id));
      await succeeded(as('admin')('member-update', id, alt, 'pending'));
      assert.deepEqual(await statuses('demo', id), entry('pending'));

      await refused(as('alt')('member-delete', id, alt), /HTTP 403 Forbidden/);
      await succeeded(as('demo')('member-delete', id, alt));
      await refused(as('alt')('image-show', id), /HTTP 404 Not Found: No image found/);
      await refused(as('demo')('member-get', id, alt), /HTTP 404 Not Found/);
      await refused(as('demo')('member-delete', id, alt), /HTTP 404 Not Found/);
    });

    test('only the owner offers, each project once, and only what is shared', async () => {
      const { as, projectId } = site();
      const [id, alt] = [await shared(), await projectId('alt')];
      await refused(as('viewer')('member-create', id, alt), /HTTP 403 Forbidden/);
      await refused(as('alt')('member-create', id, alt), /HTTP 404 Not Found/);
      await succeeded(as('demo')('member-create', id, alt));
      await refused(as('demo')('member-create', id, alt), /HTTP 409 Conflict/);
      const closed = await shared('--visibility', 'private');
      await refused(as('demo')('member-create', closed, alt), /HTTP 403 Forbidden/);
      await refused(as('alt')('member-list', '--image-id', closed), /HTTP 404 Not Found/);
    });
  });
}
