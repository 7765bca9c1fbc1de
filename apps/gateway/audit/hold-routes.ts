import { randomUUID } from 'node:crypto';
import type { AuditAccess } from '../../../domain/audit/access.ts';
import { type HoldCommand, longestReason } from '../../../domain/hold/hold.ts';
import type { JsonObject } from '../../../domain/json.ts';
import type { PersonalRecords } from '../../../infra/personal/records.ts';
import type { Visible } from '../../../projections/images/images.ts';
import {
  type HoldPorts,
  type HoldTarget,
  holdKeeper,
  ownerOf,
  reasonOf,
  standingHolds,
} from '../../legal-holds.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import { type HistoryPorts, upToNow } from '../history/ports.ts';
import { HttpError } from '../http-error.ts';
import { inTime, metadataOf, seenBy } from '../on-behalf.ts';
import { imageIdOf } from '../routes/image-id.ts';
import { type GatewayRouter, type Handler, parameter } from '../routes/routes.ts';
import { isStorable } from '../text.ts';

export interface HoldRoutePorts extends HoldPorts {
  readonly access: Pick<AuditAccess, 'allowsOwnHold' | 'authorizeHolds'>;
  readonly personal: PersonalRecords;
  readonly visible: Visible;
  readonly history: Pick<HistoryPorts, 'changes' | 'visible' | 'log'>;
}

type Context = Parameters<Handler>[0];

const base = '/audit/v1/holds';
/** As long as an id of Keystone's can be, in any script. */
const longestId = 255;

/** Legal holds. Who deletes asks the log, so a hold counts at every gateway once it is in there. */
export function holdRoutes(router: GatewayRouter, ports: HoldRoutePorts): void {
  const { access, history, log, personal } = ports;
  const change = holdKeeper(ports);
  const seen = seenBy(ports.visible);

  const apply = async (ctx: Context, target: HoldTarget, command: HoldCommand) => {
    const metadata = await metadataOf(ctx.call, 'set_legal_hold', personal);
    const context = { commandId: randomUUID(), metadata };
    await seen(await inTime((deadline) => change(target, command, context, deadline)));
  };

  /** Who owns an image meets its hold whenever it deletes, so it may ask for it. */
  const isOwn = async ({ call: { caller } }: Context, { kind, id }: HoldTarget) =>
    kind === 'image' &&
    caller.projectId !== null &&
    access.allowsOwnHold(caller) &&
    (await ownerOf(log, id)) === caller.projectId;

  router.get(base, async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeHolds('get_legal_holds', ctx.call.caller);
    const holds = await standingHolds({ log, changes: history.changes }, await upToNow(history));
    ctx.body = { holds: holds.map(documentOf) };
  });

  for (const kind of ['image', 'project'] as const) {
    const path = kind === 'image' ? `${base}/images/:imageId` : `${base}/projects/:projectId`;
    const targetOf = (ctx: Context): HoldTarget => ({
      kind,
      id: kind === 'image' ? imageIdOf(ctx) : projectIdOf(ctx),
    });

    router.get(path, async (ctx) => {
      expectNoBody(ctx.req);
      const target = targetOf(ctx);
      if (!(await isOwn(ctx, target))) access.authorizeHolds('get_legal_holds', ctx.call.caller);
      const reason = await reasonOf(log, target);
      if (reason === null)
        throw new HttpError(404, `The ${kind} ${target.id} is under no hold of its own.`);
      ctx.body = documentOf({ ...target, reason });
    });

    router.put(path, async (ctx) => {
      access.authorizeHolds('set_legal_hold', ctx.call.caller);
      const target = targetOf(ctx);
      const reason = reasonFrom(await jsonBody(ctx));
      await apply(ctx, target, { type: 'PlaceHold', reason });
      ctx.body = documentOf({ ...target, reason });
    });

    router.delete(path, async (ctx) => {
      expectNoBody(ctx.req);
      access.authorizeHolds('set_legal_hold', ctx.call.caller);
      await apply(ctx, targetOf(ctx), { type: 'LiftHold' });
      ctx.status = 204;
    });
  }
}

const documentOf = ({
  kind,
  id,
  reason,
}: HoldTarget & { readonly reason: string }): JsonObject => ({ kind, id, reason });

function projectIdOf(ctx: Context): string {
  const id = parameter(ctx, 'projectId');
  if (id.length <= longestId && isStorable(id)) return id;
  throw new HttpError(400, `An id of a project has at most ${longestId} characters.`);
}

function reasonFrom(asked: JsonObject | readonly unknown[]): string {
  const { reason, ...others } = asked as JsonObject;
  const isReason =
    typeof reason === 'string' && reason.trim() !== '' && reason.length <= longestReason;
  if (isReason && isStorable(reason) && Object.keys(others).length === 0) return reason;
  throw new HttpError(400, `Say {"reason": "..."}, in at most ${longestReason} characters.`);
}
