import type { Pool } from 'pg';
import type { JsonObject } from '../../domain/json.ts';
import { resources, type Usage } from '../../domain/quota/resources.ts';
import { projectStream } from './fold.ts';
import { ledgerFrom } from './projection.ts';
import type { Quotas } from './quotas.ts';

/** Of one statement, so of one instant; the index has all of it. Whole numbers stay exact up to 8 PiB, at half the time. */
const usageText = `
  select
    (select position from read_model.generation where model = 'quota' and state = 'live')::text as position,
    ${resources.map((resource) => `coalesce(sum(${resource}::float8), 0) as ${resource}`).join(',\n    ')}
  from quota.charge
  where owner = $1`;

const ledgerText = 'select revision, state from quota.ledger where id = $1';

const openText = 'select id, revision, state from quota.ledger where open > 0 order by id';

interface LedgerColumns {
  readonly id: string;
  readonly revision: number;
  readonly state: JsonObject;
}

/** Queries over the views of the read model, which name the live generation. */
export function quotaQueries(pool: Pool): Quotas {
  return {
    async usageOf(projectId) {
      const { rows } = await pool.query<Usage & { readonly position: string | null }>({
        name: 'quota-usage',
        text: usageText,
        values: [projectId],
      });
      const [row] = rows;
      const usage = Object.fromEntries(
        resources.map((resource) => [resource, Number(row?.[resource] ?? 0)]),
      );
      return { usage: usage as unknown as Usage, position: BigInt(row?.position ?? 0) };
    },
    async ledgerOf(projectId) {
      const { rows } = await pool.query<LedgerColumns>({
        name: 'quota-ledger',
        text: ledgerText,
        values: [projectStream(projectId)],
      });
      const [row] = rows;
      return row && ledgerFrom(row.revision, row.state);
    },
    async openReservations() {
      const { rows } = await pool.query<LedgerColumns>({ name: 'quota-open', text: openText });
      return rows.flatMap(({ id, revision, state }) =>
        [...ledgerFrom(revision, state).ledger.open.values()].map((reservation) => ({
          ...reservation,
          projectId: id.slice(projectStream('').length),
        })),
      );
    },
  };
}
