import type { Standing } from '../../infra/export/cursors.ts';

/** How far a target of the audit export is, for `daguerre status` and `daguerre audit export`. */
export interface ExportStanding {
  readonly target: string;
  /** Everything up to here has been exported; `lag` in positions. */
  readonly position: string;
  readonly lag: string;
  readonly exportedAt: Date | null;
  /** Null while all is well. */
  readonly failing: {
    readonly since: Date | null;
    readonly reason: string;
    /** Position of the record that the target does not take. */
    readonly refused: string | null;
  } | null;
  /** Whether a process is at it: not where none has the target in its configuration. */
  readonly active: boolean;
}

export const leaseOf = (target: string): string => `export-${target}`;

export const exportStandings = (
  standings: readonly Standing[],
  head: bigint,
  leases: readonly { readonly name: string }[],
): readonly ExportStanding[] =>
  standings.map(({ target, position, exportedAt, failingSince, error, refused }) => ({
    ...{ target, exportedAt },
    position: String(position),
    lag: String(position < head ? head - position : 0n),
    failing:
      error === null
        ? null
        : {
            since: failingSince,
            reason: error,
            refused: refused === null ? null : String(refused),
          },
    active: leases.some(({ name }) => name === leaseOf(target)),
  }));

export const exportLines = (standings: readonly ExportStanding[]): readonly string[] =>
  standings.map(({ target, position, lag, failing, active }) =>
    [
      `export      ${target} at position ${position}, ${lag} behind`,
      ...(active ? [] : ['no process exports to it']),
      ...(failing === null ? [] : [troubleOf(failing)]),
    ].join('; '),
  );

const troubleOf = ({ since, reason, refused }: NonNullable<ExportStanding['failing']>): string =>
  `${refused === null ? 'held up' : `the record at position ${refused} is refused`} ` +
  `since ${since?.toISOString()}: ${reason}`;
