import { StagedMissing } from '../../domain/staging.ts';
import type { ProgressBoard } from '../../infra/progress/progress.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import {
  type Claim,
  type Conclusion,
  type Conclusions,
  Failed,
  type Task,
  taskOf,
} from './claim.ts';
import { copyWork } from './copy.ts';
import { type FetchPorts, fetchWork } from './fetch.ts';
import { type LocationRules, locationWork } from './locate.ts';
import { type Meter, meter } from './meter.ts';
import { type StagedPorts, stagedWork } from './staged.ts';

export interface ConcludePorts extends StagedPorts {
  readonly downloads: Omit<FetchPorts, 'staging' | 'passStep'>;
  readonly locations: LocationRules;
  readonly progress: ProgressBoard;
}

/** Does the work on a claim, all but saying so. Rejects with the signal's reason, or with what nobody foresaw. */
export function concluder(ports: ConcludePorts) {
  const { stores, locations, downloads, staging, progress, passStep } = ports;
  const atLocation = locationWork({ stores, rules: locations, passStep });
  const fetching = fetchWork({ ...downloads, staging, passStep });
  const copying = copyWork({ stores, passStep });
  const atStaged = stagedWork(ports);

  /** A download goes on as what is staged, by what the image has come to meanwhile. */
  async function* fetched(
    claim: Claim,
    task: Task & { readonly kind: 'download' },
    told: Meter,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const work = fetching(claim, task, told, signal);
    try {
      let next = await work.next();
      while (!next.done) {
        const state = yield next.value;
        next = await work.next(state);
        const staged = next.done ? taskOf(state, claim.uploadId) : undefined;
        if (staged?.kind === 'staged') yield* atStaged(claim, staged, told, logger, signal);
      }
    } finally {
      await work.return();
    }
  }

  return async function* conclude(
    claim: Claim,
    task: Task,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { uploadId, epoch } = claim;
    const failed = ({ reason, message }: Failed): Conclusion => ({
      type: 'FailIngest',
      uploadId,
      epoch,
      reason,
      message,
    });
    const told = meter(progress, uploadId);
    try {
      if (task.kind === 'location') yield* atLocation(claim, task, logger, signal);
      else if (task.kind === 'copy') yield* copying(claim, task, told, logger, signal);
      else if (task.kind === 'download') yield* fetched(claim, task, told, logger, signal);
      else yield* atStaged(claim, task, told, logger, signal);
    } catch (error) {
      if (error instanceof Failed) yield failed(error);
      else if (error instanceof StagedMissing)
        yield failed(
          new Failed('staged-bytes-lost', 'the staged bytes are gone: upload the image again'),
        );
      else throw error;
    } finally {
      progress.forget(uploadId);
    }
  };
}
