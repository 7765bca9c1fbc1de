import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import type { RefusalCode } from '../../domain/refused.ts';
import { specOf } from '../support/spec.ts';
import {
  aborted,
  asks,
  attributes,
  claimed,
  completed,
  created,
  createdAs,
  deactivated,
  deleted,
  failed,
  type History,
  histories,
  member,
  reactivated,
  released,
  result,
  stateAfter,
} from './fixtures.ts';

const given = specOf(image);
const ask = asks(member);

type Outcome = RefusalCode | readonly ImageEvent[];

const renamed: ImageEvent = {
  type: 'ImageUpdated',
  data: { changes: [{ field: 'name', from: 'cirros', to: 'renamed' }], properties: [] },
};
/** What ends with an image names itself: its task ends, too. */
const broken: ImageEvent = { type: 'ImageDeleted', data: { uploadId: 'first' } };
const tagged: ImageEvent = { type: 'TagAdded', data: { tag: 'new' } };
const untagged: ImageEvent = { type: 'TagRemoved', data: { tag: 'linux' } };
const begun: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId: 'second', owner: 'gateway-2', declaredSize: null, store: 'file' },
};
const claims = (supersedes: number): ImageCommand => ({
  type: 'ClaimIngest',
  uploadId: 'first',
  supersedes,
  owner: `worker-${supersedes + 1}`,
});

/** The same outcome in every state that is not named. */
const inEveryState = (
  otherwise: Outcome,
  outcomes: Partial<Record<History, Outcome>> = {},
): Record<History, Outcome> => ({
  absent: otherwise,
  queued: otherwise,
  saving: otherwise,
  staged: otherwise,
  claimed: otherwise,
  active: otherwise,
  deactivated: otherwise,
  deleted: otherwise,
  ...outcomes,
});
const gone = { absent: 'image-unknown', deleted: 'image-unknown' } as const;

/** Every command in every state. */
const table: readonly (readonly [string, ImageCommand, Record<History, Outcome>])[] = [
  [
    'a creation',
    { type: 'CreateImage', caller: member, attributes },
    inEveryState('image-exists', { absent: [created] }),
  ],
  ['a new name', ask.UpdateImage, inEveryState([renamed], gone)],
  ['a new tag', ask.AddTag, inEveryState([tagged], gone)],
  ['a tag taken off', ask.RemoveTag, inEveryState([untagged], gone)],
  [
    'a new member',
    ask.AddMember,
    inEveryState([{ type: 'MemberAdded', data: { member: 'friends' } }], gone),
  ],
  [
    'the answer of who is no member',
    { type: 'SetMemberStatus', caller: member, member: 'friends', status: 'accepted' },
    inEveryState('not-allowed', gone),
  ],
  [
    'a member taken off who is none',
    { type: 'RemoveMember', caller: member, member: 'friends' },
    inEveryState('member-unknown', gone),
  ],
  [
    'deactivation',
    ask.DeactivateImage,
    inEveryState('image-not-active', { ...gone, active: [deactivated], deactivated: [] }),
  ],
  [
    'reactivation',
    ask.ReactivateImage,
    inEveryState('image-not-active', { ...gone, active: [], deactivated: [reactivated] }),
  ],
  [
    'deletion',
    ask.DeleteImage,
    inEveryState([deleted], { ...gone, saving: [broken], staged: [broken], claimed: [broken] }),
  ],
  ['an upload', ask.BeginUpload, inEveryState('image-not-queued', { ...gone, queued: [begun] })],
  [
    'the last byte of an upload',
    { type: 'CompleteUpload', uploadId: 'first', size: 7 },
    inEveryState('upload-ended', {
      saving: [{ type: 'UploadStaged', data: { uploadId: 'first', size: 7 } }],
      staged: [],
      claimed: [],
    }),
  ],
  [
    'the end of an upload halfway',
    {
      type: 'AbortUpload',
      uploadId: 'first',
      reason: 'client-gone',
      message: 'the client hung up',
    },
    inEveryState([], { saving: [aborted], staged: 'upload-ended', claimed: 'upload-ended' }),
  ],
  [
    'a first claim',
    claims(0),
    inEveryState('upload-ended', {
      saving: 'claim-superseded',
      staged: [claimed(1)],
      claimed: 'claim-superseded',
    }),
  ],
  [
    'a second claim',
    claims(1),
    inEveryState('upload-ended', {
      saving: 'claim-superseded',
      staged: 'claim-superseded',
      claimed: [claimed(2)],
    }),
  ],
  [
    'the release of a claim',
    { type: 'ReleaseIngest', uploadId: 'first', epoch: 1 },
    inEveryState('upload-ended', {
      saving: 'claim-superseded',
      staged: 'claim-superseded',
      claimed: [released(1)],
    }),
  ],
  [
    'the result of an ingest',
    { type: 'CompleteIngest', uploadId: 'first', epoch: 1, result },
    inEveryState('upload-ended', {
      saving: 'claim-superseded',
      staged: 'claim-superseded',
      claimed: completed(1),
    }),
  ],
  [
    'the failure of an ingest',
    {
      type: 'FailIngest',
      uploadId: 'first',
      epoch: 1,
      reason: 'format-refused',
      message: 'it is no qcow2',
    },
    inEveryState('upload-ended', {
      saving: 'claim-superseded',
      staged: 'claim-superseded',
      claimed: [failed],
    }),
  ],
  ['the end of the bytes', { type: 'RecordDataRemoved' }, inEveryState([])],
];

for (const [what, command, outcomes] of table)
  describe(what, () => {
    for (const [history, outcome] of Object.entries(outcomes) as [History, Outcome][])
      test(`${typeof outcome === 'string' ? `is refused with ${outcome}` : 'is decided'} when ${history}`, () => {
        const decision = given(...histories[history]).when(command);
        if (typeof outcome === 'string') decision.refused(outcome);
        else decision.records(...outcome);
      });
  });

test('an image needs both formats before its data', () => {
  given(createdAs({ diskFormat: null }))
    .when(ask.BeginUpload)
    .refused('formats-missing', /disk_format/);
  given(createdAs({ containerFormat: null }))
    .when(ask.BeginUpload)
    .refused('formats-missing', /container_format/);
});

test('a protected image cannot be deleted in any state', () => {
  const shielded: ImageEvent = { type: 'ProtectionChanged', data: { from: false, to: true } };
  for (const history of [histories.queued, histories.saving, histories.active])
    given(...history, shielded)
      .when(ask.DeleteImage)
      .refused('image-protected');
});

test('an upload that starts twice under one id starts once', () => {
  given(created, begun).when(ask.BeginUpload).records();
});

test('a tag that is there is added without a fact, one that is not cannot be removed', () => {
  given(created).when({ type: 'AddTag', caller: member, tag: 'linux' }).records();
  given(created).when({ type: 'RemoveTag', caller: member, tag: 'absent' }).refused('tag-missing');
});

test('an aborted upload and a failed ingest leave the image queued, as it was', () => {
  const queued = stateAfter(created);
  assert.deepEqual(stateAfter(...histories.saving, aborted), queued);
  assert.deepEqual(stateAfter(...histories.claimed, failed), queued);
});

test('an activated image has the content of its own attempt and nothing of the upload', () => {
  assert.deepEqual(stateAfter(...histories.active), {
    ...attributes,
    members: [],
    status: 'active',
    upload: null,
    content: {
      size: 512,
      virtualSize: 4096,
      digests: result.digests,
      algorithm: 'sha512',
      locations: [
        { id: 'image/first/1', store: 'file', key: 'image/first/1', ours: true, metadata: {} },
      ],
    },
  });
});

test('deactivation and back leave the content as it was', () => {
  assert.deepEqual(
    stateAfter(...histories.deactivated, reactivated),
    stateAfter(...histories.active),
  );
});

test('the bytes of a deleted image are recorded as gone once', () => {
  const dataRemoved: ImageEvent = { type: 'ImageDataRemoved', data: {} };
  given(...histories.active, deleted)
    .when({ type: 'RecordDataRemoved' })
    .records(dataRemoved);
  given(...histories.active, deleted, dataRemoved)
    .when({ type: 'RecordDataRemoved' })
    .records();
});

test('facts that do not fit change nothing', () => {
  const misfits = [aborted, failed, deactivated, reactivated, ...completed(1), claimed(1)];
  assert.deepEqual(stateAfter(created, ...misfits), stateAfter(created));
  assert.deepEqual(stateAfter(...misfits), stateAfter());
  assert.deepEqual(stateAfter(created, deleted, created, ...misfits), stateAfter(created, deleted));
});
