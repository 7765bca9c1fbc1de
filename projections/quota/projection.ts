import type { Image } from '../../domain/image/state.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { OpenReservation } from '../../domain/quota/quota.ts';
import { resources, type Usage } from '../../domain/quota/resources.ts';
import type { Projection, Table } from '../projection.ts';
import { type Charge, fold, keyOf, type LedgerRow, type QuotaParts } from './fold.ts';

/**
 * Summed up per project at each decision, from the index alone: what it holds is all that a sum needs. Beside the images'
 * own rows, since these are updated in place as long as no index has anything that changes.
 */
const chargeTable: Table<Charge> = {
  columns: {
    owner: 'text',
    images: 'integer not null',
    bytes: 'bigint not null',
    staged: 'bigint not null',
    uploads: 'integer not null',
    image: 'jsonb not null',
  },
  // Pages that changed must be marked as all visible soon, or sums read the rows too.
  storage: 'autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02',
  distinct: {},
  longest: { owner: 1020 },
  indexes: { charge_by_owner: `(owner) include (${resources.join(', ')})` },
  toJson: ({ owner, usage, image }) => ({ owner, ...usage, image: image as unknown as JsonObject }),
  fromJson: (json) => ({
    owner: json.owner as string | null,
    usage: Object.fromEntries(
      resources.map((resource) => [resource, Number(json[resource])]),
    ) as unknown as Usage,
    image: json.image as unknown as Image,
  }),
};

/** `state` is a snapshot of the project's stream up to `revision`. */
const ledgerTable: Table<LedgerRow> = {
  columns: { revision: 'integer not null', open: 'integer not null', state: 'jsonb not null' },
  storage:
    'fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000',
  distinct: {},
  longest: {},
  indexes: { ledger_open: '(id) where open > 0' },
  toJson: ({ ledger: { open, horizon }, revision }) => ({
    revision,
    open: open.size,
    state: {
      open: [...open.values()] as unknown as JsonObject[],
      horizon: String(horizon),
    },
  }),
  fromJson: (json) => ledgerFrom(json.revision as number, json.state as JsonObject),
};

export function ledgerFrom(revision: number, state: JsonObject): LedgerRow {
  const open = state.open as unknown as readonly OpenReservation[];
  return {
    revision,
    ledger: {
      open: new Map(open.map((reservation) => [reservation.reservationId, reservation])),
      horizon: BigInt(state.horizon as string),
    },
  };
}

/** The read model behind `Quotas`: views `quota.charge` and `quota.ledger`. */
export const quotaProjection: Projection<QuotaParts> = {
  name: 'quota',
  version: 2,
  tables: { charge: chargeTable, ledger: ledgerTable },
  keyOf,
  fold,
};
