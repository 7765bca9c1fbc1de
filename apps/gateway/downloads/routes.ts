import type { Access } from '../../../domain/image/access.ts';
import type { JsonObject } from '../../../domain/json.ts';
import type {
  DownloadFilter,
  DownloadPage,
  Downloads,
} from '../../../projections/downloads/downloads.ts';
import type { Images, Visible } from '../../../projections/images/images.ts';
import { expectNoBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import { aboutImage, requireOwn } from '../history/about.ts';
import { link } from '../history/pages.ts';
import { caughtUp, type HistoryPorts, upToNow, viewerOf } from '../history/ports.ts';
import { knowing, rangeFrom, rangeNames } from '../history/query.ts';
import { imageIdOf } from '../routes/image-id.ts';
import type { GatewayRouter } from '../routes/routes.ts';
import { isUuid } from '../wire/image-schema.ts';
import { lastOf, type Parameters, parametersOf } from '../wire/query-string.ts';
import { downloadDocument, stateOf } from './documents.ts';

export interface DownloadRecordPorts {
  readonly records: Downloads;
  /** Of the read model of downloads: nobody who downloads waits for it, so its readers do. */
  readonly visible: Visible;
  /** Of a gateway process; see `DeathWatch`. */
  readonly isDead: (writer: string) => boolean;
}

export interface DownloadRoutePorts extends DownloadRecordPorts {
  readonly history: Omit<HistoryPorts, 'past'>;
  readonly images: Pick<Images, 'show'>;
  readonly imageAccess: Access;
}

const base = '/history/v1';

/** Who read which bytes. */
export function downloadRoutes(router: GatewayRouter, ports: DownloadRoutePorts): void {
  const { history, images, imageAccess, records, isDead } = ports;
  const { access, log, people } = history;

  const pageOf = async (
    ctx: GatewayContext,
    parameters: Parameters,
    filter: DownloadFilter,
  ): Promise<{ readonly page: DownloadPage; readonly document: JsonObject }> => {
    const { from, to, ...range } = rangeFrom(parameters);
    const viewer = viewerOf(access, ctx.call.caller);
    let upTo = await log.head();
    await caughtUp(ports, upTo);
    if (range.upTo < upTo) upTo = range.upTo;
    const page = await records.page({ ...range, upTo, viewer, filter: { ...filter, from, to } });
    const hashes = page.downloads.flatMap(({ metadata }) => metadata.personal ?? []);
    const persons = await people.behind(hashes);
    const now = new Date();
    const unmarked = parameters.filter(([name]) => name !== 'marker');
    const document = {
      downloads: page.downloads.map((download) =>
        downloadDocument(download, stateOf(download, isDead, now), viewer, persons),
      ),
      position: String(page.next),
      first: link(ctx.path, unmarked),
      ...(page.next < upTo
        ? { next: link(ctx.path, [...unmarked, ['marker', String(page.next)]]) }
        : {}),
    };
    return { page, document };
  };

  router.get(`${base}/images/:imageId/downloads`, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const imageId = imageIdOf(ctx);
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, rangeNames);
    const rule = 'get_image_downloads';
    access.requireProjectScope(rule, caller);
    const { page, document } = await pageOf(ctx, parameters, { image: imageId });
    if (page.downloads.length === 0) await upToNow(history);
    const about = { ...aboutImage({ images, imageAccess }, caller, imageId, {}), rule } as const;
    await requireOwn(history, about, caller, page.downloads.length > 0);
    ctx.body = document;
  });

  router.get(`${base}/downloads`, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, [...rangeNames, 'project', 'actor', 'object']);
    access.authorizeOwn('get_image_downloads', ctx.call.caller);
    const object = lastOf(parameters, 'object');
    const filter = {
      project: lastOf(parameters, 'project'),
      actor: lastOf(parameters, 'actor'),
      image: object !== undefined && isUuid(object) ? object.toLowerCase() : object,
    };
    ctx.body = (await pageOf(ctx, parameters, filter)).document;
  });
}
