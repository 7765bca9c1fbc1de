import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Config } from '../../infra/config/config.ts';
import { isLimited } from '../../infra/limits/settings.ts';
import { bulkProjection } from '../../projections/bulk/projection.ts';
import { downloadsProjection } from '../../projections/downloads/projection.ts';
import { eventsProjection } from '../../projections/events/projection.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { metadefsProjection } from '../../projections/metadefs/projection.ts';
import type { Projection } from '../../projections/projection.ts';
import { quotaProjection } from '../../projections/quota/projection.ts';
import { tasksProjection } from '../../projections/tasks/projection.ts';
import { webhooksProjection } from '../../projections/webhooks/projection.ts';

/** Every read model that projectors keep, each with a lease, a checkpoint and generations of its own. */
export const projections: readonly Projection<object>[] = [
  imagesProjection,
  metadefsProjection,
  eventsProjection,
  tasksProjection,
  quotaProjection,
  webhooksProjection,
  bulkProjection,
  historyProjection,
  downloadsProjection,
];

/** Without what nobody asks with this configuration. */
export const projectionsFor = (config: Config): readonly Projection<object>[] =>
  projections.filter((projection) => projection !== quotaProjection || isLimited(config));

/**
 * The read models that the API answers from: a success waits until all of them show it. Not history, which writes several
 * rows for each event, and not downloads: who looks back waits for them instead, so that everybody reads what was
 * acknowledged before.
 */
export const answeredFrom: readonly string[] = [
  imagesProjection.name,
  metadefsProjection.name,
  tasksProjection.name,
];

/** Which events can change what the API answers from one of them. */
export const answersConcernedBy: Readonly<Record<string, (event: RecordedEvent) => boolean>> =
  Object.fromEntries(
    projections
      .filter(({ name }) => answeredFrom.includes(name))
      .map(({ name, keyOf }) => [name, (event) => keyOf(event) !== undefined]),
  );

/** Whoever asks them waits until they have what he may know of. */
export const lookedBackAt: readonly string[] = [historyProjection.name, downloadsProjection.name];
