import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { AppendUnknown } from '../../domain/event-log.ts';
import type { CallerCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { Refused } from '../../domain/refused.ts';
import type { StagedWriter, Staging } from '../../domain/staging.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { GrowingHold } from '../quota-holds.ts';
import { answerTo, breach, Ended, endedByOthers, GatewayStopped } from './broken-upload.ts';
import type { Call } from './call.ts';
import { ClientGone } from './client-gone.ts';
import type { Commands } from './commands.ts';
import { invite } from './expect-continue.ts';
import { HttpError } from './http-error.ts';
import type { LogTail } from './log-tail.ts';
import { type GatewayQuota, noQuota, unlimitedHold, within } from './quota.ts';
import { receive } from './receive.ts';
import { retryMs, type UploadKey, uploadAborts } from './upload-aborts.ts';
import { type Patience, type UploadWatch, untilEnded, watchUpload } from './upload-watch.ts';

/*
 * One upload, as the gateway sees it:
 *
 *     deciding ──UploadStarted──▶ receiving ──last byte──▶ sealing ──UploadStaged──▶ waiting ──▶ answered
 *                                     │                       │                         │
 *                                     └─────UploadAborted─────┘                   whatever the log says
 *
 * deciding   Nothing of the body has been read: a refusal costs the client no transfer (it may wait for `100 Continue`).
 *            A crash here leaves nothing, or an `UploadStarted` that the reconciler aborts for its dead owner.
 * receiving  The gateway owns the upload. Bytes go to staging as they come. The upload breaks when the client goes, sends
 *            another size than it announced or more than is allowed, when staging fails, when the gateway stops, or
 *            when the log says that the image is gone. The abort is appended first, then the bytes are removed. An
 *            abort that cannot be appended is tried until it is: while this process lives nobody else would do it.
 *            A crash leaves staged bytes and a dead owner: the reconciler aborts.
 * sealing    Every byte and the name are made durable. A failed fsync breaks the upload: what the page cache still
 *            shows proves nothing. A crash is as before.
 * staged     What is staged for an import is answered as soon as `UploadStaged` can be seen, and waits for the import call.
 * waiting    `UploadStaged` is in the log: the work belongs to whoever claims it, and neither the client nor this
 *            gateway is needed any more. The answer is what the log says of this upload id: active 204, failed by its
 *            reason, deleted 410; with nobody living on the work for a minute 504, and it stays scheduled.
 *
 * The watch on the log begins before `UploadStarted`, so no end is missed. An `UploadStarted` of this process that is
 * not in hand (its append was given up as unknown and landed later) is aborted when the log shows it.
 */

export interface Uploads {
  /** Resolves when the image is active, or its bytes are staged, and that is visible; rejects with the answer otherwise. */
  upload(call: Call, imageId: string, exchange: Exchange, intent: Intent): Promise<void>;
  /** Uploads in any state before their answer. */
  inFlight(): number;
  /** Breaks what is being received and ends every wait: the gateway stops. */
  stop(): void;
}

export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

export interface Intent {
  /** Bytes that the client announced, null when it did not say. */
  readonly declaredSize: number | null;
  readonly store: string;
  /** Of `stage`, bytes wait for an import. */
  readonly purpose: 'upload' | 'stage';
}

export interface UploadPorts {
  readonly commands: Commands;
  readonly tail: LogTail;
  readonly staging: Pick<Staging, 'create' | 'remove'>;
  /** Names this life of this process, as its heartbeat does. */
  readonly owner: string;
  readonly isDead: (owner: string) => boolean;
  readonly quota: GatewayQuota;
  readonly sizeCap: number;
  readonly patience: Patience;
  readonly passStep: PassStep;
  readonly logger: Logger;
  /** Told of every byte that came. */
  readonly countBytes: (bytes: number) => void;
}

export function uploads(ports: UploadPorts): Uploads {
  const { commands, logger, owner, passStep, staging, tail } = ports;
  /** What ends each upload in hand when the gateway stops. */
  const inHand = new Map<string, AbortController>();
  let stopped = false;
  const { abort, untilRecorded } = uploadAborts({ commands, logger, isStopped: () => stopped });

  tail.listenToAll((recorded) => {
    const event = recorded as unknown as ImageEvent;
    if (event.type !== 'UploadStarted' || event.data.owner !== owner) return;
    const { uploadId } = event.data;
    if (inHand.has(uploadId)) return;
    const imageId = recorded.streamId.slice('image-'.length);
    void abort(recorded.metadata, { imageId, uploadId }, 'client-gone', 'its request was over');
  });

  /** Gives the room that it holds in the quota of the image's owner. */
  const begin = async (
    call: Call,
    key: UploadKey,
    { declaredSize, store, purpose }: Intent,
  ): Promise<GrowingHold> => {
    const { imageId, uploadId } = key;
    const { caller } = call;
    passStep('gateway.upload-deciding');
    const command = {
      type: purpose === 'stage' ? 'BeginStaging' : 'BeginUpload',
      caller,
      uploadId,
      owner,
      declaredSize,
      store,
    } as const;
    const room = await roomFor(call, key, command, purpose);
    const started = await within(room, () =>
      commands.append(call, imageId, { ...command, reservation: room.reservationId }),
    ).catch((error) => {
      if (error instanceof AppendUnknown) void abort(call, key, 'client-gone', error.message);
      throw error;
    });
    passStep('gateway.upload-started');
    void room.commit(['uploads'], started.position);
    return room;
  };

  const roomFor = async (
    call: Call,
    key: UploadKey,
    command: CallerCommand & { readonly type: 'BeginUpload' | 'BeginStaging' },
    purpose: Intent['purpose'],
  ): Promise<GrowingHold> => {
    const { quota } = ports;
    const { declaredSize } = command;
    if (quota === noQuota) return unlimitedHold;
    passStep('gateway.quota-deciding');
    const image = await commands.preview(key.imageId, command);
    const arrival = { ...key, owner: image.owner, declaredSize, purpose };
    const room = await quota.forUpload(call, arrival);
    passStep('gateway.quota-reserved');
    return room;
  };

  /** Gives the size of what is durable in staging; whatever breaks is undone before it throws. */
  const receiveWhole = async (
    call: Call,
    key: UploadKey,
    { req, res }: Exchange,
    { declaredSize }: Intent,
    watch: UploadWatch,
    halt: AbortSignal,
    room: GrowingHold,
  ): Promise<number> => {
    const over = new AbortController();
    halt.addEventListener('abort', () => over.abort(halt.reason), { once: true });
    void watch.ended.then((end) => over.abort(new Ended(end)));
    let writer: StagedWriter | undefined;
    try {
      writer = await staging.create(key);
      invite(req, res);
      const expected = { declaredSize, sizeCap: ports.sizeCap };
      const size = await receive(req, writer, expected, over.signal, {
        count: ports.countBytes,
        admit: room.admit,
        passStep,
      });
      passStep('gateway.staging-sealed');
      return size;
    } catch (error) {
      const broken = breach(error);
      const aborted =
        error instanceof Ended
          ? undefined
          : await abort(call, key, broken.reason, broken.answer.message);
      const position = error instanceof Ended ? error.end.position : aborted?.position;
      await writer
        ?.abort()
        .catch((err) =>
          logger.error(
            { requestId: call.requestId, ...key, err },
            'staged bytes are left to the sweeper',
          ),
        );
      if (position !== undefined && !(error instanceof ClientGone))
        await commands.visible(position).catch(() => {});
      // Its bytes are swept at once then, under our hands: that is what broke it.
      throw aborted?.changed === false ? endedByOthers() : broken.answer;
    }
  };

  /** Gives the position to wait for. */
  const complete = async (call: Call, key: UploadKey, size: number): Promise<bigint> => {
    const { imageId, uploadId } = key;
    const attempt = () =>
      commands.report(call, imageId, { type: 'CompleteUpload', uploadId, size });
    const deadline = performance.now() + completeWithinMs;
    for (;;)
      try {
        const { position } = await attempt();
        passStep('gateway.upload-staged');
        return position;
      } catch (error) {
        if (error instanceof Refused) {
          await staging.remove(key);
          throw error;
        }
        if (error instanceof AppendUnknown) {
          void untilRecorded(attempt);
          throw error;
        }
        if (performance.now() > deadline) {
          const message = 'The end of the upload could not be recorded: upload again.';
          await abort(call, key, 'staging-failed', message);
          await staging.remove(key);
          // No 503: something was appended, and a client that blindly tries again finds the image busy.
          throw new HttpError(504, message, { cause: error });
        }
        await delay(retryMs);
      }
  };

  const outcome = async (
    watch: UploadWatch,
    { res }: Exchange,
    halt: AbortSignal,
  ): Promise<void> => {
    const clientGone = new AbortController();
    const gone = (): void => clientGone.abort();
    res.once('close', gone);
    const signal = AbortSignal.any([clientGone.signal, halt]);
    const end = await untilEnded(watch, ports.isDead, ports.patience, signal).finally(() =>
      res.off('close', gone),
    );
    if (end === undefined)
      throw new HttpError(
        504,
        'The upload is complete and stays scheduled, but has not been processed yet.',
      );
    await commands.visible(end.position);
    passStep('gateway.outcome-seen');
    if (end.kind !== 'active') throw answerTo(end);
  };

  return {
    async upload(call, imageId, exchange, intent) {
      if (stopped) throw breach(new GatewayStopped()).answer;
      const key = { imageId, uploadId: randomUUID() };
      const halt = new AbortController();
      const watch = watchUpload(tail, imageId, key.uploadId);
      inHand.set(key.uploadId, halt);
      try {
        const room = await begin(call, key, intent);
        try {
          const size = await receiveWhole(call, key, exchange, intent, watch, halt.signal, room);
          await room.settle(size);
          if (isHeld(room)) passStep('gateway.quota-returned');
          const position = await complete(call, key, size);
          if (intent.purpose === 'stage') await commands.visible(position);
          else await outcome(watch, exchange, halt.signal);
        } finally {
          await room.close();
          if (isHeld(room)) passStep('gateway.quota-committed');
        }
      } finally {
        inHand.delete(key.uploadId);
        watch.stop();
      }
    },
    inFlight: () => inHand.size,
    stop() {
      stopped = true;
      for (const halt of inHand.values()) halt.abort(new GatewayStopped());
    },
  };
}

const isHeld = ({ reservationId }: GrowingHold): boolean => reservationId !== undefined;

/** How long a durable body waits for a log that cannot be reached. */
const completeWithinMs = 15_000;
