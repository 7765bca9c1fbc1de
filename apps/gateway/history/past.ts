import type { Access } from '../../../domain/image/access.ts';
import { expectNoBody } from '../body.ts';
import type { Call, GatewayContext } from '../call.ts';
import { unknownImage } from '../commands.ts';
import { pageAnswers } from '../page-answers.ts';
import type { Reading } from '../wire/image.ts';
import { pageText } from '../wire/image-page.ts';
import { imageTexts } from '../wire/image-text.ts';
import { listQueryFrom, type PageSizes } from '../wire/list-query.ts';
import type { Parameters } from '../wire/query-string.ts';
import { asOfNames, positionAsked } from './as-of.ts';
import { type HistoryPorts, viewerOf } from './ports.ts';
import { knowing } from './query.ts';

/** Images as they were, in the very documents of the Image API. */
export interface PastImagePorts extends HistoryPorts {
  readonly imageAccess: Access;
  readonly readingOf: (call: Call) => Reading;
  readonly pages: PageSizes;
}

/** Texts of the past are kept as those of the present are: as long as the records and pages that they are made of. */
const textOf = imageTexts();
const answers = pageAnswers();

/** Says which position was meant: asked for again by it, the answer is the same for ever. */
const answeredAt = (ctx: GatewayContext, at: bigint): void => {
  ctx.set('Daguerre-As-Of-Position', String(at));
};

/** 404 for an image that did not exist then, or that the caller could not have seen. */
export async function showPast(
  ctx: GatewayContext,
  ports: PastImagePorts,
  imageId: string,
  parameters: Parameters,
): Promise<void> {
  const { access, past, readingOf } = ports;
  const { caller } = ctx.call;
  knowing(parameters, asOfNames);
  access.requireProjectScope('get_past_image', caller);
  const at = await positionAsked(ports, parameters);
  const record = await past.show(imageId, at);
  if (record === undefined) throw unknownImage(imageId);
  if (!access.allowsPast(record, caller)) throw unknownImage(imageId, 'get_past_image');
  answeredAt(ctx, at);
  ctx.type = 'json';
  ctx.body = textOf(record, readingOf(ctx.call));
}

/** The listing of then; its links stay at the position. */
export async function listPast(
  ctx: GatewayContext,
  ports: PastImagePorts,
  parameters: Parameters,
): Promise<void> {
  expectNoBody(ctx.req);
  const { access, past, pages, readingOf } = ports;
  const { caller } = ctx.call;
  const asked = parameters.filter(([name]) => !asOfNames.includes(name));
  const { projectId, seesAll } = viewerOf(access, caller);
  const reading = readingOf(ctx.call);
  const query = listQueryFrom(asked, { projectId, isAdmin: seesAll }, reading, pages);
  access.authorizeOwn('get_past_images', caller);
  const at = await positionAsked(ports, parameters);
  const page = await past.list(query, at);
  answeredAt(ctx, at);
  ctx.type = 'json';
  // A page is of one position, so what its links say of that is the same for the same question.
  ctx.body = answers.of(page, caller, ctx.querystring, () => {
    const shown = page.filter((record) => access.allowsPast(record, caller));
    return pageText(
      { page, images: shown.map((record) => textOf(record, reading)) },
      [...asked, ['as_of_position', String(at)]],
      query.limit,
      '/history/v1/images',
    );
  });
}
