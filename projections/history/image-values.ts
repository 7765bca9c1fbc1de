import type { Json } from '../../domain/json.ts';
import type { ImageEntry } from '../images/fold.ts';
import type { ImageRecord } from '../images/record.ts';
import {
  appeared,
  type Difference,
  differences,
  nothingKnown,
  type Value,
  type Values,
  valuesFrom,
} from './differences.ts';

type FieldOf = readonly [name: string, of: (image: ImageRecord) => Json];

/** By the names of the Image API. */
const fields: readonly FieldOf[] = [
  ['name', ({ name }) => name],
  ['status', ({ status }) => status],
  ['visibility', ({ visibility }) => visibility],
  ['owner', ({ owner }) => owner],
  ['protected', (image) => image.protected],
  ['os_hidden', ({ hidden }) => hidden],
  ['disk_format', ({ diskFormat }) => diskFormat],
  ['container_format', ({ containerFormat }) => containerFormat],
  ['min_disk', ({ minDisk }) => minDisk],
  ['min_ram', ({ minRam }) => minRam],
  ['size', ({ size }) => size],
  ['virtual_size', ({ virtualSize }) => virtualSize],
  ['checksum', ({ checksum }) => checksum],
  ['os_hash_algo', ({ hashAlgorithm }) => hashAlgorithm],
  ['os_hash_value', ({ hashValue }) => hashValue],
  [
    'locations',
    ({ locations }) => (locations.length === 0 ? null : (locations as unknown as Json)),
  ],
  ['import', ({ imports }) => imports as unknown as Json],
  ['failure', ({ failure }) => failure],
];

/** Everything of an image but its times, which are those of its events. */
export const imageValues = (image: ImageRecord): Values => valuesFrom(valuesOf(image));

/** All of them, or those alone that another image may not have. */
function* valuesOf(image: ImageRecord, other?: ImageRecord): Generator<Value> {
  for (const [name, of] of fields) {
    const value = of(image);
    if (other === undefined || of(other) !== value) yield { kind: 'field', name, value };
  }
  if (image.properties !== other?.properties)
    for (const [name, value] of Object.entries(image.properties))
      yield { kind: 'property', name, value };
  if (image.tags !== other?.tags)
    for (const name of image.tags) yield { kind: 'tag', name, value: true };
  if (image.members !== other?.members)
    for (const { projectId, status } of image.members)
      yield { kind: 'member', name: projectId, value: status };
}

/** The differences of `imageValues`, without a look at what one image has from the other. `was`: none, where it is new. */
export function imageDifferences(
  was: ImageRecord | undefined,
  is: ImageRecord,
): readonly Difference[] {
  if (was === is) return [];
  if (was === undefined) return appeared(valuesOf(is));
  return differences(valuesFrom(valuesOf(was, is)), valuesFrom(valuesOf(is, was)));
}

/**
 * What an image's rows amount to. While its deletion is scheduled it is what it was but for its status; of a deleted one
 * nothing is left but that.
 */
export function valuesOfImage({ image, kept, work }: ImageEntry, existed: boolean): Values {
  if (image !== undefined) return imageValues(image);
  if (kept !== undefined) return withStatus(imageValues(kept.image), 'pending_delete');
  return existed || work !== undefined ? withStatus(nothingKnown, 'deleted') : nothingKnown;
}

const withStatus = (values: Values, status: string): Values =>
  new Map(values).set('field status', { kind: 'field', name: 'status', value: status });
