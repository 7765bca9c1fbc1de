import { historyNotAllowed } from '../../../domain/history/access.ts';
import type { Access, Caller, Rule } from '../../../domain/image/access.ts';
import type { HistoryFilter, HistoryViewer } from '../../../projections/history/history.ts';
import type { Images } from '../../../projections/images/images.ts';
import { unknownImage } from '../commands.ts';
import { type HistoryPorts, viewerOf } from './ports.ts';

/** Of one thing: how it is asked for, and what to answer whom it is not there for. */
export interface About {
  readonly rule: Rule;
  /** What the thing's own changes are. */
  readonly its: HistoryFilter;
  /** Which of them, and of the attempts on it that were refused, are asked for. */
  readonly filter: HistoryFilter;
  /** Whether the caller can see the thing itself now: then it is told that it may not see this, else nothing. */
  readonly isSeen: () => Promise<boolean>;
  /** The rule only where there is such a thing: then this was an attempt. */
  readonly unknown: (rule?: Rule) => Error;
}

export function aboutImage(
  {
    images,
    imageAccess,
  }: { readonly images: Pick<Images, 'show'>; readonly imageAccess: Pick<Access, 'allows'> },
  caller: Caller,
  imageId: string,
  filter: HistoryFilter,
): About {
  return {
    rule: 'get_image_history',
    its: { object: imageId, kinds: ['image'] },
    filter: { object: imageId, ...filter },
    async isSeen() {
      const record = await images.show(imageId);
      return record !== undefined && imageAccess.allows('get_image', record, caller);
    },
    unknown: (rule) => unknownImage(imageId, rule),
  };
}

/** Throws unless there is something that is the caller's own, and it may look; `isKnownToBeOwn` where that needs no look. */
export async function requireOwn(
  { access, changes }: Pick<HistoryPorts, 'access' | 'changes'>,
  { its, isSeen, rule, unknown }: About,
  caller: Caller,
  isKnownToBeOwn: boolean,
): Promise<void> {
  const isThereFor = async (viewer: HistoryViewer): Promise<boolean> => {
    const asked = { viewer, filter: its, after: 0n, upTo: await changes.checkpoint(), limit: 1 };
    return (await changes.page(asked)).changes.length > 0;
  };
  const isOwn = isKnownToBeOwn || (await isThereFor(viewerOf(access, caller)));
  if (isOwn && access.allowsOwn(rule, caller)) return;
  if (isOwn || (await isSeen())) throw historyNotAllowed(rule);
  throw unknown((await isThereFor({ projectId: null, seesAll: true })) ? rule : undefined);
}
