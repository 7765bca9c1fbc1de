import type { Access } from '../../../domain/image/access.ts';
import type { Viewer } from '../../../domain/image/visibility.ts';
import type { Images } from '../../../projections/images/images.ts';
import { isSeenBy, type Tasks } from '../../../projections/tasks/tasks.ts';
import type { BaseUrl } from '../base-url.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { visibleImage } from '../image-reads.ts';
import type { ImportProgresses } from '../import-progress.ts';
import type { TaskCommands } from '../task-commands.ts';
import { isUuid } from '../wire/image-schema.ts';
import type { UrlRules } from '../wire/import-method.ts';
import type { PageSizes } from '../wire/list-query.ts';
import { parametersOf } from '../wire/query-string.ts';
import { imageTaskDocument, taskDocument, taskPage } from '../wire/task.ts';
import { askedTaskFrom, checkSource, taskQueryFrom } from '../wire/task-requests.ts';
import { imageIdOf } from './image-id.ts';
import { type GatewayRouter, parameter } from './routes.ts';

/** Tasks: of one image, and all of them (reference, section 10). */
export function taskRoutes(
  router: GatewayRouter,
  {
    images,
    tasks,
    commands,
    access,
    pages,
    baseUrl,
    progress,
    urls,
  }: {
    images: Pick<Images, 'show'>;
    tasks: Tasks;
    commands: TaskCommands;
    access: Access;
    pages: PageSizes;
    baseUrl: BaseUrl;
    progress: Pick<ImportProgresses, 'ofTasks'>;
    /** Where imports may fetch from. */
    urls: UrlRules;
  },
): void {
  const viewerOf = ({ caller }: Call): Viewer => ({
    projectId: caller.projectId,
    isAdmin: access.isAdmin(caller),
  });

  router.get('/v2/images/:imageId/tasks', async (ctx) => {
    expectNoBody(ctx.req);
    const { id } = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    const found = await tasks.ofImage(id, viewerOf(ctx.call));
    ctx.body = { tasks: (await progress.ofTasks(found)).map(imageTaskDocument) };
  });

  router.get('/v2/tasks', async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    access.authorizeOwn('tasks_api_access', ctx.call.caller);
    const query = taskQueryFrom(parameters, viewerOf(ctx.call), pages);
    ctx.body = taskPage(await tasks.list(query), parameters, query.limit);
  });

  router.post('/v2/tasks', async (ctx) => {
    const asked = askedTaskFrom(await jsonBody(ctx));
    access.authorizeOwn('tasks_api_access', ctx.call.caller);
    checkSource(asked, urls);
    const task = await commands.request(ctx.call, asked);
    ctx.status = 201;
    ctx.set('Location', `${baseUrl(ctx.req)}/v2/tasks/${task.id}`);
    ctx.body = taskDocument(task);
  });

  router.get('/v2/tasks/:taskId', async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeOwn('tasks_api_access', ctx.call.caller);
    const taskId = parameter(ctx, 'taskId');
    const task = isUuid(taskId) ? await tasks.show(taskId.toLowerCase()) : undefined;
    if (task === undefined || !isSeenBy(task, viewerOf(ctx.call)))
      throw new HttpError(404, `No task found with ID ${taskId}.`);
    const [told = task] = await progress.ofTasks([task]);
    ctx.body = taskDocument(told);
  });
}
