import { randomUUID } from 'node:crypto';
import type { CallerCommand } from '../../domain/image/commands.ts';
import type { ImportMethod } from '../../domain/image/events.ts';
import { type Existing, isDownload } from '../../domain/image/state.ts';
import type { TokenOf } from '../../infra/import-tokens/tokens.ts';
import type { Hold } from '../quota-holds.ts';
import type { Call } from './call.ts';
import type { Commands } from './commands.ts';
import { HttpError } from './http-error.ts';
import { type GatewayQuota, type ImportRoom, noQuota, unlimitedHold, within } from './quota.ts';
import type { AskedMethod } from './wire/import-method.ts';
import type { AskedImport } from './wire/import-request.ts';

type RequestImport = CallerCommand & { readonly type: 'RequestImport' | 'RequestCopies' };

/** Has imports begun; workers do the rest. */
export interface Imports {
  /** Resolves when the import is accepted, and every gateway shows it. */
  request(call: Call, imageId: string, asked: AskedImport, how?: How): Promise<void>;
}

interface How {
  /** Names the import's attempt, and its task; default: a new one. */
  readonly uploadId?: string;
  /** The caller's own, for what is fetched in its name. */
  readonly token?: string;
}

/** Other image services, as the catalogue has them. */
export interface Regions {
  /**
   * Where a region's image service is, for the holder of this token, which is kept for the attempt until `forget`. Rejects
   * with `HttpError` or `IdentityUnavailable`.
   */
  keep(of: TokenOf, token: string, region: string, face: string): Promise<string>;
  forget(uploadId: string): Promise<void>;
}

const noRegions: Regions = {
  keep: () => Promise.reject(new HttpError(400, 'This site knows no other regions.')),
  forget: async () => {},
};

export function imports({
  commands,
  quota,
  regions = noRegions,
}: {
  commands: Pick<Commands, 'append' | 'preview' | 'visible'>;
  quota: GatewayQuota;
  regions?: Regions;
}): Imports {
  const roomFor = async (call: Call, imageId: string, command: RequestImport): Promise<Hold> => {
    if (quota === noQuota) return unlimitedHold;
    const image = await commands.preview(imageId, command);
    return quota.forImport(call, {
      reservationId: randomUUID(),
      imageId,
      uploadId: image.upload?.uploadId ?? command.uploadId,
      owner: image.owner,
      amounts: amountsOf(command, image),
    });
  };

  const methodOf = async (
    imageId: string,
    asked: AskedMethod,
    command: Omit<RequestImport, 'method'>,
    token: string,
  ): Promise<ImportMethod> => {
    if (asked.name !== 'glance-download') return asked;
    await commands.preview(imageId, { ...command, method: nowhere(asked) } as RequestImport);
    const { region, interface: face } = asked;
    const of = { imageId, uploadId: command.uploadId };
    return { ...asked, endpoint: await regions.keep(of, token, region, face) };
  };

  return {
    async request(
      call,
      imageId,
      { method: asked, stores, unknown, everywhere = false, allStoresMustSucceed },
      { uploadId = randomUUID(), token = '' } = {},
    ) {
      const common = { caller: call.caller, uploadId, stores, allStoresMustSucceed };
      const base =
        asked.name === 'copy-image'
          ? ({ type: 'RequestCopies', missingOnly: everywhere, ...common } as const)
          : ({ type: 'RequestImport', ...common } as const);
      if (unknown.length > 0) {
        // Who may not ask is not told of stores.
        await commands.preview(imageId, { ...base, method: nowhere(asked) });
        throw new HttpError(409, `No store that can be written is named ${unknown.join(', ')}.`);
      }
      const method = await methodOf(imageId, asked, base, token);
      const command = { ...base, method };
      try {
        const room = await roomFor(call, imageId, command);
        try {
          const { position } = await within(room, () =>
            commands.append(call, imageId, { ...command, reservation: room.reservationId }),
          );
          // What a download brings nobody knows yet: who fetches it reserves room for it as it comes.
          if (isDownload(method)) await room.commit(['uploads', 'bytes', 'staged'], position);
          await commands.visible(position);
        } finally {
          await room.close();
        }
      } catch (error) {
        if (method.name === 'glance-download') await regions.forget(base.uploadId);
        throw error;
      }
    },
  };
}

/** Enough to see what would be refused. */
const nowhere = (asked: AskedMethod): ImportMethod =>
  asked.name === 'glance-download' ? { ...asked, endpoint: '' } : asked;

/** Beyond what is told of an image that is active, or being made so, already. */
function amountsOf(command: RequestImport, image: Existing): ImportRoom['amounts'] {
  const { method, stores } = command;
  if (isDownload(method)) return { uploads: 1, bytes: 0, staged: 0 };
  if (!('content' in image)) return { bytes: (image.upload?.stagedSize ?? 0) * stores.length };
  const { size, locations } = image.content;
  const missing = stores.filter((store) => !locations.some((one) => one.store === store));
  if (missing.length === 0) return {};
  return { uploads: 1, staged: size, bytes: size * missing.length };
}
