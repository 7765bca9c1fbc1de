import { eventsProjection } from '../../projections/events/projection.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { metadefsProjection } from '../../projections/metadefs/projection.ts';
import type { Projection } from '../../projections/projection.ts';
import { tasksProjection } from '../../projections/tasks/projection.ts';

/** Every read model that projectors keep, each with a lease, a checkpoint and generations of its own. */
export const projections: readonly Projection<object>[] = [
  imagesProjection,
  metadefsProjection,
  eventsProjection,
  tasksProjection,
];

/** The read models that the API answers from: a success waits until all of them show it. */
export const answeredFrom: readonly string[] = [
  imagesProjection.name,
  metadefsProjection.name,
  tasksProjection.name,
];
