import type { ExportRecord } from './record.ts';

/** Of CADF's action taxonomy (DSP0262; pyCADF `cadftaxonomy.ACTION_TAXONOMY`), what happens to images and around them. */
export type CadfAction =
  | 'backup'
  | 'configure'
  | 'create'
  | 'delete'
  | 'disable'
  | 'enable'
  | 'evaluate'
  | 'read'
  | 'restore'
  | 'start'
  | 'stop'
  | 'unknown'
  | 'update';
export type CadfOutcome = 'failure' | 'pending' | 'success';

/** By how a fact's name ends, the first that fits; so facts that this page has not heard of are told as well. */
const actions: readonly (readonly [ending: RegExp, action: CadfAction])[] = [
  [/(Deactivated|Disabled)$/, 'disable'],
  [/(Activated|Reactivated|Enabled)$/, 'enable'],
  [/(Restored|Revived)$/, 'restore'],
  [/^DownloadRecordingSet$/, 'configure'],
  [/^DownloadLost$/, 'stop'],
  [/(Downloaded|Read|Served)$/, 'read'],
  [/Download(s|ed)?[A-Z]\w*$/, 'read'],
  [/^(Backup|\w+BackedUp)/, 'backup'],
  [/(Hold|Retention)\w*$/, 'configure'],
  [/(Digested|Inspected|Listed)$/, 'evaluate'],
  // Of a thing as a whole; of its parts it is an update of the thing.
  [/^(Image|MetadefNamespace|Webhook)(Created|Registered)$/, 'create'],
  [/^(Image|MetadefNamespace|Webhook)(Deleted|Removed)$/, 'delete'],
  [/^(ImageDeletionScheduled|ImageDataRemoved|Personal\w+)$/, 'delete'],
  [/(Started|Began|Requested|Claimed|Reserved|Resumed|Retried)$/, 'start'],
  [/(Aborted|Failed|Cancelled|Abandoned|Paused|Completed|Released|Committed|Settled)$/, 'stop'],
  [
    /(Created|Added|Removed|Changed|Updated|Renamed|Replaced|Associated|Dissociated|Stored|Staged|Deleted|Rotated|Advanced|Fetched|Reprioritized|Acknowledged|Rewound|Skipped)$/,
    'update',
  ],
];

const byMethod: Readonly<Record<string, CadfAction>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
};

/** A refused attempt is what was tried, by its method. */
export function actionOf({ type, refused }: ExportRecord, route: string | null): CadfAction {
  if (refused) return byMethod[route?.split(' ', 1)[0] ?? ''] ?? 'unknown';
  return actions.find(([ending]) => ending.test(type))?.[1] ?? 'unknown';
}

export function outcomeOf({ type, refused }: ExportRecord): CadfOutcome {
  if (refused || /(Failed|Aborted)$/.test(type)) return 'failure';
  return /(Scheduled|Ordered|Requested)$/.test(type) ? 'pending' : 'success';
}
