import { randomUUID } from 'node:crypto';
import type { BulkAccess } from '../../../domain/bulk/access.ts';
import { bulkDecider } from '../../../domain/bulk/bulk.ts';
import { type BulkCallerCommand, ruleOfBulk } from '../../../domain/bulk/commands.ts';
import type { BulkItem, Priority } from '../../../domain/bulk/events.ts';
import type { EventLog } from '../../../domain/event-log.ts';
import type { PersonalRecords } from '../../../infra/personal/records.ts';
import type { BulkImports, BulkRecord } from '../../../projections/bulk/imports.ts';
import type { Visible } from '../../../projections/images/images.ts';
import { bulkAt, handleBulk, newContext } from '../../bulk/handle.ts';
import { digestOf } from '../../bulk/manifest/resolve.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { afterAppend, inTime, metadataOf, seenBy } from '../on-behalf.ts';

export interface AskedBulk {
  readonly name: string | null;
  readonly priority: Priority;
  readonly items: readonly BulkItem[];
}

type Asked<Command> = Command extends BulkCallerCommand ? Omit<Command, 'caller'> : never;
export type BulkChange = Asked<Exclude<BulkCallerCommand, { type: 'RequestBulkImport' }>>;

/** Changes bulk imports on behalf of requests; each resolves when every gateway shows the change. */
export interface BulkCommands {
  request(call: Call, asked: AskedBulk): Promise<BulkRecord>;
  change(call: Call, record: BulkRecord, change: BulkChange): Promise<BulkRecord>;
}

export interface BulkCommandPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly imports: BulkImports;
  /** Of the read model of bulk imports. */
  readonly visible: Visible;
  readonly access: BulkAccess;
  readonly personal: PersonalRecords;
}

/** Of one event with items: some logs take no append of more than a MiB. */
const mostItemsOfEvent = 500;
const mostCharactersOfEvent = 256 * 1024;

export function bulkCommands(ports: BulkCommandPorts): BulkCommands {
  const { log, imports, access, personal } = ports;
  const handle = handleBulk(log, bulkDecider(access));
  const seen = seenBy(ports.visible);

  const shown = async (importId: string, position: bigint): Promise<BulkRecord> => {
    await seen(position);
    const record = await afterAppend(() => imports.show(importId));
    if (record === undefined) throw new HttpError(504, 'The change is recorded, but not shown.');
    return record;
  };

  return {
    async request(call, { items, ...asked }) {
      const { caller } = call;
      const project = access.authorizeOwn(ruleOfBulk.RequestBulkImport, caller);
      const importId = randomUUID();
      const metadata = {
        ...(await metadataOf(call, ruleOfBulk.RequestBulkImport, personal)),
        bulkImport: importId,
      };
      const command = {
        type: 'RequestBulkImport',
        caller,
        project,
        ...asked,
        items: items.length,
        digest: digestOf(items),
      } as const;
      let last = await inTime((deadline) =>
        handle(importId, command, newContext(metadata), undefined, deadline),
      );
      for (const part of parts(items)) {
        const listing = { type: 'ListBulkItems', ...part } as const;
        last = await inTime((deadline) =>
          handle(importId, listing, newContext(metadata), last, deadline),
        );
      }
      return shown(importId, last.position);
    },

    async change(call, record, change) {
      const command = { ...change, caller: call.caller } as BulkCallerCommand;
      const metadata = await metadataOf(call, ruleOfBulk[command.type], personal);
      const { position, revision } = await inTime((deadline) =>
        handle(record.id, command, newContext(metadata), bulkAt(record), deadline),
      );
      if (revision === record.revision) return record;
      return shown(record.id, position);
    },
  };
}

function* parts(items: readonly BulkItem[]) {
  let first = 0;
  let weight = 0;
  for (const [index, item] of items.entries()) {
    const more = JSON.stringify(item).length;
    const isFull = index - first >= mostItemsOfEvent || weight + more > mostCharactersOfEvent;
    if (index > first && isFull) {
      yield { first, items: items.slice(first, index) };
      first = index;
      weight = 0;
    }
    weight += more;
  }
  yield { first, items: items.slice(first) };
}
