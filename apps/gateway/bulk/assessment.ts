import type { BulkItem } from '../../../domain/bulk/events.ts';
import { type Changes, isNothing, planFor } from '../../../domain/bulk/plan.ts';
import type { EventLog } from '../../../domain/event-log.ts';
import type { Caller } from '../../../domain/image/access.ts';
import type { CallerCommand } from '../../../domain/image/commands.ts';
import type { ImageEvent } from '../../../domain/image/events.ts';
import type { ImageDecider } from '../../../domain/image/image.ts';
import type { Image } from '../../../domain/image/state.ts';
import { Refused } from '../../../domain/refused.ts';
import type { Images } from '../../../projections/images/images.ts';
import { commandsFor, sequence } from '../../bulk/image-work.ts';
import { ManifestRefused } from '../../bulk/manifest/problems.ts';
import { equalImage } from '../../bulk/part.ts';
import { imageStream } from '../commands.ts';

export interface AssessmentPorts {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly images: Pick<Images, 'list'>;
  readonly decider: ImageDecider;
}

/** What would become of an item now. */
export interface Assessed {
  readonly item: number;
  readonly name: string | null;
  readonly image: string;
  /** `wait`: it is being filled by somebody. */
  readonly action: 'create' | 'fill' | 'wait' | 'update' | 'skip' | 'fail';
  readonly reason: string | null;
  readonly message: string | null;
  /** Fields that would change. */
  readonly changes: readonly string[];
}

/**
 * Refuses what the caller may not make: by a rule, as the API would for the first such image, else with all that is wrong.
 * It is decided again when each is made.
 */
export function admitItems(
  items: readonly BulkItem[],
  caller: Caller,
  decider: ImageDecider,
): void {
  const inSequence = sequence(decider);
  const problems = items.flatMap((item, index) => {
    try {
      inSequence.decide(commandsFor(caller, item), decider.initial);
      return [];
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.rule !== undefined)
        throw new Refused(error.code, `${placeOf(index, item)}: ${error.message}`, error.rule);
      return [{ image: index + 1, field: null, line: null, message: error.message }];
    }
  });
  if (problems.length > 0) throw new ManifestRefused(problems);
}

/** With the name, since not every manifest was written by a person. */
const placeOf = (index: number, { attributes: { name } }: BulkItem): string =>
  name === null ? `image ${index + 1}` : `image ${index + 1}, ${name}`;

const atOnce = 8;

/** What would happen, item by item, as far as it can be told without fetching anything or asking for room. */
export async function assessed(
  items: readonly BulkItem[],
  caller: Caller,
  ports: AssessmentPorts,
): Promise<readonly Assessed[]> {
  const found: Assessed[] = [];
  const left = items.entries();
  const some = async (): Promise<void> => {
    for (const [index, item] of left) found[index] = await assess(index, item, caller, ports);
  };
  await Promise.all(Array.from({ length: atOnce }, some));
  return found;
}

async function assess(
  index: number,
  item: BulkItem,
  caller: Caller,
  { log, images, decider }: AssessmentPorts,
): Promise<Assessed> {
  const equal = await equalImage(item, images);
  const image = equal ?? item.imageId;
  const answer = (action: Assessed['action'], more: Partial<Assessed> = {}): Assessed => ({
    ...{ item: index, name: item.attributes.name, image, action },
    ...{ reason: null, message: null, changes: [], ...more },
  });
  const { events } = await log.readStream(imageStream(image));
  const facts = events as unknown as readonly ImageEvent[];
  const state: Image = facts.reduce(decider.evolve, decider.initial);
  const plan = planFor(item, state);
  switch (plan.kind) {
    case 'create':
    case 'elsewhere':
      return answer('create');
    case 'fill':
    case 'wait':
      return answer(plan.kind);
    case 'refuse':
      return answer('fail', { reason: plan.reason, message: plan.message });
    case 'keep':
      if (isNothing(plan.changes)) return answer('skip');
      try {
        sequence(decider).decide(updateOf(caller, plan.changes), state);
        return answer('update', { changes: namesOf(plan.changes) });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return answer('fail', { reason: error.code, message: error.message });
      }
  }
}

const updateOf = (caller: Caller, { operations }: Changes): readonly CallerCommand[] => [
  { type: 'UpdateImage', caller, operations },
];

const namesOf = ({ operations, members }: Changes): readonly string[] => [
  ...operations.flatMap((operation) => {
    if (operation.kind === 'set') return [operation.field];
    return 'property' in operation ? [`properties.${operation.property}`] : [];
  }),
  ...(members.length > 0 ? ['members'] : []),
];
