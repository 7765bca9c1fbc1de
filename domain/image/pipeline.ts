import { Refused } from '../refused.ts';
import { decideAbandonment } from './abandonment.ts';
import type { ImageLimits } from './attributes.ts';
import type { PipelineCommand } from './commands.ts';
import { decideRestore, decideScrub } from './deletion.ts';
import type { ImageEvent } from './events.ts';
import { decideHold } from './hold.ts';
import {
  decideAdvance,
  decideCopies,
  decideDescription,
  decideFailure,
  decideFetched,
  decideStoreFailure,
} from './imports.ts';
import { deathsOf, type Image, maxDeadClaims, type Upload, uploadOf } from './state.ts';

type Command<Type extends PipelineCommand['type']> = PipelineCommand & { readonly type: Type };

/** What the system's own commands lead to. Results of any claim but the newest are refused. */
export function decideForPipeline(
  command: PipelineCommand,
  state: Image,
  limits: ImageLimits,
): readonly ImageEvent[] {
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
      claimed(state, command);
      return [{ type: 'IngestReleased', data: { uploadId, epoch } }];
    }
    case 'CompleteIngest':
    case 'RecordCopies':
      return decideCopies(command, claimed(state, command), state);
    case 'RecordStoreFailure':
      return decideStoreFailure(command, claimed(state, command));
    case 'RecordAdvance':
      return decideAdvance(command, claimed(state, command));
    case 'CompleteFetch':
      return decideFetched(command, claimed(state, command));
    case 'DescribeImport':
      claimed(state, command);
      return decideDescription(command, state, limits);
    case 'FailIngest':
      return decideFailure(command, claimed(state, command), state);
    case 'CompleteLocation':
      return decideLocation(command, state);
    case 'RecordDigests': {
      const { uploadId, digests, algorithm } = command;
      claimed(state, command);
      return [
        { type: 'ImageDigested', data: { uploadId, digests, algorithm } },
        { type: 'ImportCompleted', data: { uploadId } },
      ];
    }
    case 'ScrubImage':
      return decideScrub(command, state);
    case 'RestoreImage':
      return decideRestore(state);
    case 'PlaceHold':
    case 'LiftHold':
      return decideHold(command, state);
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
  const deadClaims = deathsOf(upload);
  const epoch = supersedes + 1;
  if (deadClaims < maxDeadClaims)
    return [{ type: 'IngestClaimed', data: { uploadId, epoch, supersedes, owner } }];
  const message = `${deadClaims} workers died while they worked on this upload; it was given up`;
  return [{ type: 'IngestFailed', data: { uploadId, epoch, reason: 'workers-died', message } }];
}

/** A plain upload when it is staged, everything else when its import is requested. */
const isReady = (upload: Upload, state: Image): boolean =>
  upload.method !== null || (state.status === 'saving' && upload.stagedSize !== null);

const completed = (isImport: boolean, uploadId: string): readonly ImageEvent[] =>
  isImport ? [{ type: 'ImportCompleted', data: { uploadId } }] : [];

/** The import is over, or goes on until `RecordDigests`. A repeat changes nothing. */
function decideLocation(command: Command<'CompleteLocation'>, state: Image): readonly ImageEvent[] {
  const { uploadId, size, digests, algorithm, digestsFollow } = command;
  const { method } = claimed(state, command);
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
function claimed(
  state: Image,
  { uploadId, epoch }: { readonly uploadId: string; readonly epoch: number },
): Upload {
  const upload = openUpload(state, uploadId);
  if (upload.epoch !== epoch || upload.claimedBy === null)
    throw new Refused(
      'claim-superseded',
      `epoch ${epoch} of upload ${uploadId} is not the current claim`,
    );
  return upload;
}
