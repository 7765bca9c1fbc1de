import { historyNotAllowed } from '../../../domain/history/access.ts';
import type { Rule } from '../../../domain/image/access.ts';
import { isNamespaceVisibleTo, unknownNamespace } from '../../../domain/metadef/access.ts';
import { Refused } from '../../../domain/refused.ts';
import type { HistoryFilter } from '../../../projections/history/history.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { Metadefs } from '../../../projections/metadefs/metadefs.ts';
import { expectNoBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import { unknownImage } from '../commands.ts';
import { imageIdOf } from '../routes/image-id.ts';
import { namespaceIn } from '../routes/metadefs/ports.ts';
import { type GatewayRouter, parameter } from '../routes/routes.ts';
import { parametersOf } from '../wire/query-string.ts';
import { isAskedOfThen } from './as-of.ts';
import { historyPage, readerOf } from './pages.ts';
import { listPast, type PastImagePorts, showPast } from './past.ts';
import { filterFrom, filterNames, knowing, rangeNames } from './query.ts';

export interface HistoryRoutePorts extends PastImagePorts {
  readonly images: Pick<Images, 'show'>;
  readonly metadefs: Pick<Metadefs, 'show'>;
}

/** Of one thing: how it is asked for, and what to answer whom it is not there for. */
interface About {
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

const memberTypes = ['MemberAdded', 'MemberStatusChanged', 'MemberRemoved'];
const base = '/history/v1';

/** What ever happened, and images as they were. */
export function historyRoutes(router: GatewayRouter, ports: HistoryRoutePorts): void {
  const { access, imageAccess, images, metadefs } = ports;

  const aboutImage = (ctx: GatewayContext, imageId: string, filter: HistoryFilter): About => ({
    rule: 'get_image_history',
    its: { object: imageId, kinds: ['image'] },
    filter: { object: imageId, ...filter },
    async isSeen() {
      const record = await images.show(imageId);
      return record !== undefined && imageAccess.allows('get_image', record, ctx.call.caller);
    },
    unknown: (rule) => unknownImage(imageId, rule),
  });

  const answer = async (ctx: GatewayContext, about: About): Promise<void> => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const { rule, its } = about;
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, rangeNames);
    access.requireProjectScope(rule, caller);
    const reader = readerOf(ports, imageAccess, caller);
    const { page, document } = await historyPage(ports, reader, {
      path: ctx.path,
      parameters,
      filter: about.filter,
    });
    const isThereFor = async (viewer: { projectId: string | null; seesAll: boolean }) => {
      const upTo = await ports.changes.checkpoint();
      const asked = { viewer, filter: its, after: 0n, upTo, limit: 1 };
      return (await ports.changes.page(asked)).changes.length > 0;
    };
    const isOwn =
      page.changes.some(({ kind }) => kind !== 'refusals') || (await isThereFor(reader));
    if (isOwn && access.allowsOwn(rule, caller)) {
      ctx.body = document;
      return;
    }
    if (isOwn || (await about.isSeen())) throw historyNotAllowed(rule);
    throw about.unknown((await isThereFor({ projectId: null, seesAll: true })) ? rule : undefined);
  };

  router.get(`${base}/images`, (ctx) => listPast(ctx, ports, parametersOf(ctx.querystring)));

  router.get(`${base}/images/:imageId`, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    const imageId = imageIdOf(ctx);
    if (isAskedOfThen(parameters)) await showPast(ctx, ports, imageId, parameters);
    else await answer(ctx, aboutImage(ctx, imageId, {}));
  });

  router.get(`${base}/images/:imageId/members`, (ctx) =>
    answer(ctx, aboutImage(ctx, imageIdOf(ctx), { kinds: ['image'], types: memberTypes })),
  );

  router.get(`${base}/metadefs/:namespace`, (ctx) => {
    const namespace = namespaceIn(ctx);
    return answer(ctx, {
      rule: 'get_metadef_history',
      its: { namespace, kinds: ['namespace'] },
      filter: { namespace, kinds: ['namespace', 'refusals'] },
      async isSeen() {
        const { caller } = ctx.call;
        const record = await metadefs.show(namespace);
        const viewer = { projectId: caller.projectId, isAdmin: imageAccess.isAdmin(caller) };
        return record !== undefined && isNamespaceVisibleTo(record, viewer);
      },
      unknown: (rule) => unknownNamespace(namespace, rule),
    });
  });

  router.get(`${base}/projects/:projectId`, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const rule = 'get_project_history';
    const project = parameter(ctx, 'projectId');
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, rangeNames);
    access.requireProjectScope(rule, caller);
    const reader = readerOf(ports, imageAccess, caller);
    if (project !== caller.projectId && !reader.seesAll)
      throw new Refused('project-unknown', `No project found with ID ${project}`, rule);
    access.authorizeOwn(rule, caller);
    const filter: HistoryFilter = { project, kinds: ['project', 'webhook', 'import', 'task'] };
    const asked = { path: ctx.path, parameters, filter };
    ctx.body = (await historyPage(ports, reader, asked)).document;
  });

  router.get(`${base}/events`, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, [...rangeNames, ...filterNames]);
    const filter = filterFrom(parameters);
    access.authorizeOwn('get_history_events', caller);
    const reader = readerOf(ports, imageAccess, caller);
    const asked = { path: ctx.path, parameters, filter };
    ctx.body = (await historyPage(ports, reader, asked)).document;
  });
}
