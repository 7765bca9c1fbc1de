import { Refused } from '../refused.ts';
import { decideAbandonment } from './abandonment.ts';
import type { PipelineCommand } from './commands.ts';
import { decideRestore, decideScrub } from './deletion.ts';
import type { ImageEvent } from './events.ts';
import { type Image, maxDeadClaims, type Upload, uploadOf } from './state.ts';

type Command<Type extends PipelineCommand['type']> = PipelineCommand & { readonly type: Type };

/** What the system's own commands lead to. Results of any claim but the newest are refused. */
export function decideForPipeline(command: PipelineCommand, state: Image): readonly ImageEvent[] {
  switch (command.type) {
    case 'CompleteUpload': {
      const upload = openUpload(state, command.uploadId);
      if (upload.stagedSize !== null) return [];
      const { uploadId, size } = command;
      return [{ type: 'UploadStaged', data: { uploadId, size } }];
    }
    case 'AbortUpload':
      return decideAbort(command, state);
    case 'ClaimIngest':
      return decideClaim(command, state);
    case 'ReleaseIngest': {
      const { uploadId, epoch } = command;
      claimedUpload(state, uploadId, epoch);
      return [{ type: 'IngestReleased', data: { uploadId, epoch } }];
    }
    case 'CompleteIngest':
      return decideCompletion(command, state);
    case 'FailIngest': {
      const { uploadId, epoch, reason, message } = command;
      claimedUpload(state, uploadId, epoch);
      return [{ type: 'IngestFailed', data: { uploadId, epoch, reason, message } }];
    }
    case 'CompleteLocation':
      return decideLocation(command, state);
    case 'RecordDigests': {
      const { uploadId, epoch, digests, algorithm } = command;
      claimedUpload(state, uploadId, epoch);
      return [
        { type: 'ImageDigested', data: { uploadId, digests, algorithm } },
        { type: 'ImportCompleted', data: { uploadId } },
      ];
    }
    case 'ScrubImage':
      return decideScrub(command, state);
    case 'RestoreImage':
      return decideRestore(state);
    case 'AbandonReservation':
      return decideAbandonment(command.reservationId, state);
    case 'RecordDataRemoved':
      return state.status === 'deleted' && !state.dataRemoved
        ? [{ type: 'ImageDataRemoved', data: {} }]
        : [];
  }
}

/** What is complete ends by its ingest alone, but for bytes that were staged and whose import nobody asked for. */
function decideAbort(
  { uploadId, reason, message }: Command<'AbortUpload'>,
  state: Image,
): readonly ImageEvent[] {
  const upload = uploadOf(state);
  if (upload?.uploadId !== uploadId) return [];
  const expires = reason === 'staging-expired' && state.status === 'uploading';
  if (upload.method !== null || (upload.stagedSize !== null && !expires))
    throw new Refused('upload-ended', 'the upload is complete: only its ingest can end it now');
  return [{ type: 'UploadAborted', data: { uploadId, reason, message } }];
}

function decideClaim(
  { uploadId, supersedes, owner }: Command<'ClaimIngest'>,
  state: Image,
): readonly ImageEvent[] {
  const upload = openUpload(state, uploadId);
  if (!isReady(upload, state) || upload.epoch !== supersedes)
    throw new Refused(
      'claim-superseded',
      `upload ${uploadId} is not waiting at epoch ${supersedes}`,
    );
  const deadClaims = upload.deadClaims + (upload.claimedBy === null ? 0 : 1);
  const epoch = supersedes + 1;
  if (deadClaims < maxDeadClaims)
    return [{ type: 'IngestClaimed', data: { uploadId, epoch, supersedes, owner } }];
  const message = `${deadClaims} workers died while they worked on this upload; it was given up`;
  return [{ type: 'IngestFailed', data: { uploadId, epoch, reason: 'workers-died', message } }];
}

/** A plain upload when it is staged, everything else when its import is requested. */
const isReady = (upload: Upload, state: Image): boolean =>
  upload.method !== null || (state.status === 'saving' && upload.stagedSize !== null);

function decideCompletion(
  { uploadId, epoch, result }: Command<'CompleteIngest'>,
  state: Image,
): readonly ImageEvent[] {
  const { method, stagedSize } = claimedUpload(state, uploadId, epoch);
  if (stagedSize === null)
    throw new Refused('upload-ended', `upload ${uploadId} has nothing staged`);
  const { stored, digests, algorithm, detected, virtualSize } = result;
  const declared = 'diskFormat' in state && state.diskFormat !== null ? state.diskFormat : '';
  return [
    ...stored.map(
      ({ store, key }): ImageEvent => ({
        type: 'ImageDataStored',
        data: { uploadId, epoch, store, key, size: stagedSize },
      }),
    ),
    { type: 'ImageDigested', data: { uploadId, digests, algorithm } },
    { type: 'DiskFormatInspected', data: { uploadId, declared, detected, virtualSize } },
    { type: 'ImageActivated', data: { uploadId } },
    ...completed(method !== null, uploadId),
  ];
}

const completed = (isImport: boolean, uploadId: string): readonly ImageEvent[] =>
  isImport ? [{ type: 'ImportCompleted', data: { uploadId } }] : [];

/** The import is over, or goes on until `RecordDigests`. A repeat changes nothing. */
function decideLocation(
  { uploadId, epoch, size, digests, algorithm, digestsFollow }: Command<'CompleteLocation'>,
  state: Image,
): readonly ImageEvent[] {
  const { method } = claimedUpload(state, uploadId, epoch);
  if (method?.name !== 'location')
    throw new Refused('upload-ended', `attempt ${uploadId} is not about a location`);
  if ('content' in state) return [];
  const { locationId, store, url, metadata } = method;
  const digested = Object.keys(digests).length > 0;
  return [
    {
      type: 'LocationAdded',
      data: {
        locationId,
        store,
        url,
        metadata,
        size,
        digests,
        algorithm: digested ? algorithm : null,
      },
    },
    { type: 'ImageActivated', data: { uploadId } },
    ...completed(!digestsFollow, uploadId),
  ];
}

function openUpload(state: Image, uploadId: string): Upload {
  const upload = uploadOf(state);
  if (upload?.uploadId === uploadId) return upload;
  throw new Refused('upload-ended', `upload ${uploadId} is over: the image is ${state.status}`);
}

/** The upload, if `epoch` is its newest claim: anybody else's results are a zombie's. */
function claimedUpload(state: Image, uploadId: string, epoch: number): Upload {
  const upload = openUpload(state, uploadId);
  if (upload.epoch !== epoch || upload.claimedBy === null)
    throw new Refused(
      'claim-superseded',
      `epoch ${epoch} of upload ${uploadId} is not the current claim`,
    );
  return upload;
}
