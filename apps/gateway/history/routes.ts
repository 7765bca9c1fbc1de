import { isNamespaceVisibleTo, unknownNamespace } from '../../../domain/metadef/access.ts';
import { Refused } from '../../../domain/refused.ts';
import type { HistoryFilter } from '../../../projections/history/history.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { Metadefs } from '../../../projections/metadefs/metadefs.ts';
import { expectNoBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import { imageIdOf } from '../routes/image-id.ts';
import { namespaceIn } from '../routes/metadefs/ports.ts';
import { type GatewayRouter, parameter } from '../routes/routes.ts';
import { parametersOf } from '../wire/query-string.ts';
import { type About, aboutImage, requireOwn } from './about.ts';
import { isAskedOfThen } from './as-of.ts';
import { historyPage, readerOf } from './pages.ts';
import { listPast, type PastImagePorts, showPast } from './past.ts';
import { filterFrom, filterNames, knowing, rangeNames } from './query.ts';

export interface HistoryRoutePorts extends PastImagePorts {
  readonly images: Pick<Images, 'show'>;
  readonly metadefs: Pick<Metadefs, 'show'>;
}

const memberTypes = ['MemberAdded', 'MemberStatusChanged', 'MemberRemoved'];
const base = '/history/v1';

/** What ever happened, and images as they were. */
export function historyRoutes(router: GatewayRouter, ports: HistoryRoutePorts): void {
  const { access, imageAccess, metadefs } = ports;

  const answer = async (ctx: GatewayContext, about: About): Promise<void> => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const { rule } = about;
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, rangeNames);
    access.requireProjectScope(rule, caller);
    const reader = readerOf(ports, imageAccess, caller);
    const { page, document } = await historyPage(ports, reader, {
      path: ctx.path,
      parameters,
      filter: about.filter,
    });
    const isOwn = page.changes.some(({ kind }) => kind !== 'refusals');
    await requireOwn(ports, about, caller, isOwn);
    ctx.body = document;
  };

  router.get(`${base}/images`, (ctx) => listPast(ctx, ports, parametersOf(ctx.querystring)));

  router.get(`${base}/images/:imageId`, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    const imageId = imageIdOf(ctx);
    if (isAskedOfThen(parameters)) await showPast(ctx, ports, imageId, parameters);
    else await answer(ctx, aboutImage(ports, ctx.call.caller, imageId, {}));
  });

  router.get(`${base}/images/:imageId/members`, (ctx) =>
    answer(
      ctx,
      aboutImage(ports, ctx.call.caller, imageIdOf(ctx), { kinds: ['image'], types: memberTypes }),
    ),
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
    const filter: HistoryFilter = {
      project,
      kinds: ['project', 'recording', 'hold', 'webhook', 'import', 'task'],
    };
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
