import type { EventLog } from '../../domain/event-log.ts';
import { unknownNamespace } from '../../domain/metadef/access.ts';
import { type ChangeCommand, type Party, rulesOf } from '../../domain/metadef/commands.ts';
import type { NamespaceContent } from '../../domain/metadef/content.ts';
import type { NamespaceDecider } from '../../domain/metadef/namespace.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Visible } from '../../projections/images/images.ts';
import type { Metadefs } from '../../projections/metadefs/metadefs.ts';
import type { NamespaceRecord } from '../../projections/metadefs/record.ts';
import { handleMetadefs } from '../handle-metadef.ts';
import type { Call } from './call.ts';
import { afterAppend, inTime, metadataOf, seenBy } from './on-behalf.ts';

type Asked = Exclude<ChangeCommand, { type: 'LoadNamespace' }>;
/** A command without who asks, which the call says. */
export type AskedOf<Command extends Asked = Asked> = Command extends Asked
  ? Omit<Command, 'by' | 'claimId'>
  : never;

/** Changes namespaces on behalf of requests; each resolves when every gateway shows the change. */
export interface MetadefCommands {
  create(call: Call, content: NamespaceContent): Promise<NamespaceRecord>;
  perform(call: Call, command: AskedOf): Promise<void>;
  /** Gives the namespace as it can be seen then. */
  performAndShow(call: Call, command: AskedOf): Promise<NamespaceRecord>;
}

export function metadefCommands({
  log,
  metadefs,
  visible,
  personal,
  decider,
}: {
  log: Pick<EventLog, 'readStream' | 'append'>;
  metadefs: Pick<Metadefs, 'show'>;
  visible: Visible;
  personal: PersonalRecords;
  decider: NamespaceDecider;
}): MetadefCommands {
  const handle = handleMetadefs(log, decider);
  const seen = seenBy(visible);
  const partyOf = ({ caller }: Call): Party => ({ kind: 'caller', caller });

  const shown = async (name: string): Promise<NamespaceRecord> => {
    const record = await afterAppend(() => metadefs.show(name));
    if (record === undefined) throw unknownNamespace(name); // deleted or renamed by others since
    return record;
  };

  const perform = async (call: Call, asked: AskedOf): Promise<void> => {
    const command = { ...asked, by: partyOf(call) } as Asked;
    const metadata = await metadataOf(call, rulesOf(command)[0], personal);
    const { position } = await inTime((deadline) => handle.change(command, { metadata, deadline }));
    await seen(position);
  };

  return {
    async create(call, content) {
      const metadata = await metadataOf(call, 'add_metadef_namespace', personal);
      const { position } = await inTime((deadline) =>
        handle.create(partyOf(call), content, { metadata, deadline }),
      );
      await seen(position);
      return shown(content.attributes.namespace);
    },
    perform,
    async performAndShow(call, asked) {
      await perform(call, asked);
      return shown(asked.type === 'UpdateNamespace' ? asked.attributes.namespace : asked.namespace);
    },
  };
}
