/**
 * The instants of an upload between which a process can die, in order. Code calls its `PassStep` at each; nothing
 * happens there but in fault tests, which kill the process at the step they name.
 */
export const pipelineSteps = [
  'gateway.upload-deciding',
  'gateway.upload-started',
  'gateway.body-half',
  'gateway.body-received',
  'gateway.staging-sealed',
  'gateway.upload-staged',
  'worker.job-taken',
  'worker.ingest-claimed',
  'worker.digests-half',
  'worker.digests-done',
  'worker.data-promoted',
  'worker.image-activated',
  'worker.staging-removed',
  'projector.batch-read',
  'projector.batch-committed',
  'gateway.outcome-seen',
  'sweeper.data-removed',
] as const;

export type PipelineStep = (typeof pipelineSteps)[number];

/** The instants of whatever needs room in a project's quota; where no limit is set nothing passes them. */
export const quotaSteps = [
  'gateway.quota-deciding',
  'gateway.quota-reserved',
  'gateway.image-created',
  'gateway.quota-returned',
  'gateway.quota-committed',
] as const;

export type QuotaStep = (typeof quotaSteps)[number];

/** The instants of the work on a location. */
export const locationSteps = [
  'worker.location-seen',
  'worker.location-active',
  'worker.location-digested',
] as const;

export type LocationStep = (typeof locationSteps)[number];

/** The instants of a download, and of what goes to more than one store. */
export const importSteps = [
  'worker.fetch-begun',
  'worker.fetch-half',
  'worker.fetch-sealed',
  'worker.fetch-recorded',
  'worker.plugins-done',
  'worker.copy-half',
  'worker.copy-recorded',
] as const;

export type ImportStep = (typeof importSteps)[number];

/** The instants of a deletion that was delayed. */
export const scrubSteps = ['scrubber.image-due', 'scrubber.image-deleted'] as const;

export type ScrubStep = (typeof scrubSteps)[number];

export type PassStep = (
  step: PipelineStep | QuotaStep | LocationStep | ImportStep | ScrubStep,
) => void;
