import type { JsonObject } from '../../domain/json.ts';
import { type Namespace, absent as noNamespace } from '../../domain/metadef/state.ts';
import type { Standing } from '../../domain/outside/standing.ts';
import type { Webhook } from '../../domain/webhook/state.ts';
import type { Kept } from '../images/fold.ts';
import { imagesProjection } from '../images/projection.ts';
import type { Work } from '../images/record.ts';
import type { Table } from '../projection.ts';
import type { LedgerRow } from '../quota/fold.ts';
import { ledgerFrom } from '../quota/projection.ts';

/** What changes are about, by what the names of their streams begin with. */
export const historyKinds = {
  image: 'image',
  metadef: 'namespace',
  webhook: 'webhook',
  project: 'project',
  hold: 'hold',
  recording: 'recording',
  task: 'task',
  import: 'import',
  refusals: 'refusals',
} as const;
export type HistoryKind = (typeof historyKinds)[keyof typeof historyKinds];

/** What must be remembered of a stream to tell what its next event changes, beside an image's own row. */
export type Subject =
  /** Of an image that is gone, or has more to it than its own row; of any other there is none. */
  | {
      readonly kind: 'image';
      readonly owner: string | null;
      readonly work: Work | null;
      readonly kept: Kept | null;
    }
  | { readonly kind: 'namespace'; readonly standing: Standing | null; readonly state: Namespace }
  | { readonly kind: 'webhook'; readonly state: Webhook }
  | { readonly kind: 'project'; readonly state: LedgerRow }
  /** Of a task or a bulk import no more than whose it is: their facts say everything. */
  | { readonly kind: 'owned'; readonly owner: string | null };

export type SubjectOf<Kind extends Subject['kind']> = Subject & { readonly kind: Kind };

export const emptyNamespace: SubjectOf<'namespace'> = {
  kind: 'namespace',
  standing: null,
  state: noNamespace,
};

const { work: workTable, kept: keptTable } = imagesProjection.tables;

/** Numbers of a JSON column come back as they went in: bigints travel as text, which `fromJson` of these tables takes. */
export const subjectTable: Table<Subject> = {
  columns: { kind: 'text not null', state: 'json not null' },
  storage: 'fillfactor = 80',
  distinct: {},
  longest: {},
  indexes: {},
  toJson: (subject) => ({ kind: subject.kind, state: stateJson(subject) }),
  fromJson: ({ kind, state }, key) =>
    subjectFrom(kind as Subject['kind'], state as JsonObject, key),
};

function stateJson(subject: Subject): JsonObject {
  switch (subject.kind) {
    case 'image': {
      const { owner, work, kept } = subject;
      return {
        owner,
        work: work && workTable.toJson(work),
        kept: kept && keptTable.toJson(kept),
      };
    }
    case 'project': {
      const { ledger, revision } = subject.state;
      const open = [...ledger.open.values()] as unknown as JsonObject[];
      return { revision, open, horizon: String(ledger.horizon) };
    }
    case 'namespace':
      return {
        standing: subject.standing as unknown as JsonObject,
        state: subject.state as unknown as JsonObject,
      };
    case 'webhook':
      return subject.state as unknown as JsonObject;
    case 'owned':
      return { owner: subject.owner };
  }
}

function subjectFrom(kind: Subject['kind'], state: JsonObject, key: string): Subject {
  switch (kind) {
    case 'image': {
      const { owner, work, kept } = state;
      return {
        kind,
        owner: owner as string | null,
        work: work ? workTable.fromJson(work as JsonObject, key) : null,
        kept: kept ? keptTable.fromJson(kept as JsonObject, key) : null,
      };
    }
    case 'project':
      return { kind, state: ledgerFrom(state.revision as number, state) };
    case 'namespace':
      return {
        kind,
        standing: state.standing as unknown as Standing | null,
        state: state.state as unknown as Namespace,
      };
    case 'webhook':
      return { kind, state: state as unknown as Webhook };
    case 'owned':
      return { kind, owner: state.owner as string | null };
  }
}
