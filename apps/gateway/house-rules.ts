import { readFileSync } from 'node:fs';
import { defaultLimits, type ImageLimits } from '../../domain/image/attributes.ts';
import { containerFormats, diskFormats } from '../../domain/image/formats.ts';
import { type Config, ConfigError } from '../../infra/config/config.ts';
import { type ImageSchema, imageSchema, type OperatorSchema } from './wire/image-schema.ts';
import type { PageSizes } from './wire/list-query.ts';
import { operatorSchemaFrom, SchemaRefused, stockSchema } from './wire/operator-schema.ts';

/** What an operator settles for all callers alike: what images can be made of, how much of it, and from where. */
export interface HouseRules {
  readonly schema: ImageSchema;
  readonly limits: ImageLimits;
  readonly pages: PageSizes;
  /** How long the bytes of deleted images are kept for a restore; null where they go at once. */
  readonly keepDeletedMs: number | null;
  /** Of the web pages that may use the API. */
  readonly origins: readonly string[];
}

/** The original's own, for who settles nothing. */
export const usualHouseRules: HouseRules = {
  schema: imageSchema({
    diskFormats,
    containerFormats,
    operator: stockSchema,
    tellsOfStores: false,
  }),
  limits: defaultLimits,
  pages: { usual: 25, most: 1000 },
  keepDeletedMs: null,
  origins: [],
};

type Settings = Pick<
  Config,
  | 'identity'
  | 'stores'
  | 'schema-image-file'
  | 'disk-formats'
  | 'container-formats'
  | 'image-property-quota'
  | 'image-tag-quota'
  | 'image-member-quota'
  | 'image-location-quota'
  | 'limit-param-default'
  | 'api-limit-max'
  | 'delayed-delete'
  | 'scrub-time'
  | 'cors-allowed-origins'
>;

/**
 * With one store no image has `stores`. With several, python-glanceclient cannot import without finding it in the schema;
 * but where it logs in nowhere, it makes an option of it that clashes with its own `--stores`, and no command runs.
 */
const tellsOfStores = ({ identity, stores }: Settings): boolean =>
  stores.length > 1 && identity === 'keystone';

/** Throws `ConfigError` with every problem of the schema file. */
export const houseRulesFrom = (config: Settings): HouseRules => ({
  schema: imageSchema({
    diskFormats: config['disk-formats'],
    containerFormats: config['container-formats'],
    operator: operatorSchemaOf(config['schema-image-file']),
    tellsOfStores: tellsOfStores(config),
  }),
  limits: {
    properties: config['image-property-quota'],
    tags: config['image-tag-quota'],
    members: config['image-member-quota'],
    locations: config['image-location-quota'],
  },
  pages: { usual: config['limit-param-default'], most: config['api-limit-max'] },
  keepDeletedMs: config['delayed-delete'] ? config['scrub-time'] * 1_000 : null,
  origins: config['cors-allowed-origins'],
});

function operatorSchemaOf(path: string | undefined): OperatorSchema {
  if (path === undefined) return stockSchema;
  try {
    return operatorSchemaFrom(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof SchemaRefused)
      throw new ConfigError(error.problems.map((problem) => `${path}: ${problem}`));
    throw new ConfigError([`--schema-image-file ${path}: ${(error as Error).message}`]);
  }
}
