import type { Access } from '../../../domain/image/access.ts';
import {
  memberSeenBy,
  membersSeenBy,
  requireShared,
  unknownMember,
} from '../../../domain/image/members.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { ImageRecord, MemberRecord } from '../../../projections/images/record.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import type { Commands } from '../commands.ts';
import { visibleImage } from '../image-reads.ts';
import { memberDocument, memberStatusFrom, newMemberFrom } from '../wire/member.ts';
import { imageIdOf } from './image-id.ts';
import { type GatewayRouter, type Handler, parameter } from './routes.ts';

/** The projects that an image is shared with (reference, section 13). */
export function memberRoutes(
  router: GatewayRouter,
  {
    commands,
    images,
    access,
  }: { commands: Commands; images: Pick<Images, 'show'>; access: Access },
): void {
  const all = '/v2/images/:imageId/members';
  const one = `${all}/:projectId`;

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const record = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    access.authorize('get_members', record, caller);
    requireShared(record);
    const members = membersSeenBy(record, caller, access);
    if (members.length > 0) access.authorize('get_member', record, caller);
    ctx.body = {
      members: members.map((member) => memberDocument(record, member)),
      schema: '/v2/schemas/members',
    };
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const record = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    const projectId = projectIdOf(ctx);
    if (record.visibility !== 'shared') throw unknownMember(projectId);
    const member = memberSeenBy(record, projectId, caller, access);
    access.authorize('get_member', record, caller);
    ctx.body = memberDocument(record, member);
  });

  router.post(all, async (ctx) => {
    const member = newMemberFrom(await jsonBody(ctx));
    const { caller } = ctx.call;
    const command = { type: 'AddMember', caller, member } as const;
    const record = await commands.performAndShow(ctx.call, imageIdOf(ctx), command);
    ctx.body = memberDocument(record, memberOf(record, member));
  });

  router.put(one, async (ctx) => {
    const status = memberStatusFrom(await jsonBody(ctx));
    const member = projectIdOf(ctx);
    const { caller } = ctx.call;
    const command = { type: 'SetMemberStatus', caller, member, status } as const;
    const record = await commands.performAndShow(ctx.call, imageIdOf(ctx), command);
    ctx.body = memberDocument(record, memberOf(record, member));
  });

  router.delete(one, async (ctx) => {
    expectNoBody(ctx.req);
    const member = projectIdOf(ctx);
    const { caller } = ctx.call;
    await commands.perform(ctx.call, imageIdOf(ctx), { type: 'RemoveMember', caller, member });
    ctx.status = 204;
  });
}

const projectIdOf = (ctx: Parameters<Handler>[0]): string => parameter(ctx, 'projectId');

function memberOf({ members }: Pick<ImageRecord, 'members'>, projectId: string): MemberRecord {
  const member = members.find((entry) => entry.projectId === projectId);
  if (member === undefined) throw unknownMember(projectId);
  return member;
}
