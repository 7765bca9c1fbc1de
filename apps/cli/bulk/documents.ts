/** A bulk import, as the API shows it. */
export interface ImportDocument {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly priority: string;
  readonly images: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly attempt: number;
  readonly created_at: string;
  readonly in_work?: readonly ItemDocument[];
}

export interface ItemDocument {
  readonly item: number;
  readonly name: string | null;
  readonly status: string;
  readonly source: string;
  readonly uploaded: boolean;
  readonly image: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly bytes: number | null;
  readonly bytes_total: number | null;
  readonly bytes_per_second: number | null;
}

export const isOver = ({ status }: Pick<ImportDocument, 'status'>): boolean =>
  status === 'completed' || status === 'cancelled' || status === 'abandoned';

/** Items that nothing more will happen to. */
export const settledOf = ({ counts }: ImportDocument): number =>
  ['done', 'skipped', 'updated', 'failed', 'cancelled'].reduce(
    (sum, name) => sum + (counts[name] ?? 0),
    0,
  );

export const nameOf = ({ name, source }: ItemDocument): string => name ?? source;
