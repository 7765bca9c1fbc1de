import { randomUUID } from 'node:crypto';
import type { CallerCommand } from '../../domain/image/commands.ts';
import type { Hold } from '../quota-holds.ts';
import type { Call } from './call.ts';
import type { Commands } from './commands.ts';
import { HttpError } from './http-error.ts';
import { type GatewayQuota, noQuota, unlimitedHold, within } from './quota.ts';
import type { AskedImport } from './wire/import-request.ts';

type RequestImport = CallerCommand & { readonly type: 'RequestImport' };

/** Has imports begun; workers do the rest. */
export interface Imports {
  /** Resolves when the import is accepted, and every gateway shows it. */
  request(call: Call, imageId: string, asked: AskedImport): Promise<void>;
}

export function imports({
  commands,
  quota,
}: {
  commands: Pick<Commands, 'append' | 'preview' | 'visible'>;
  quota: GatewayQuota;
}): Imports {
  const roomFor = async (call: Call, imageId: string, command: RequestImport): Promise<Hold> => {
    if (quota === noQuota) return unlimitedHold;
    const { owner, upload } = await commands.preview(imageId, command);
    return quota.forImport(call, {
      reservationId: randomUUID(),
      imageId,
      uploadId: upload?.uploadId ?? command.uploadId,
      owner,
      bytes: (upload?.stagedSize ?? 0) * command.stores.length,
    });
  };

  return {
    async request(call, imageId, { method, stores, unknown, allStoresMustSucceed }) {
      const command = {
        type: 'RequestImport',
        caller: call.caller,
        uploadId: randomUUID(),
        method,
        stores,
        allStoresMustSucceed,
      } as const;
      if (unknown.length > 0) {
        await commands.preview(imageId, command); // who may not ask is not told of stores
        throw new HttpError(409, `No store that can be written is named ${unknown.join(', ')}.`);
      }
      const room = await roomFor(call, imageId, command);
      try {
        const { position } = await within(room, () =>
          commands.append(call, imageId, { ...command, reservation: room.reservationId }),
        );
        await commands.visible(position);
      } finally {
        await room.close();
      }
    },
  };
}
