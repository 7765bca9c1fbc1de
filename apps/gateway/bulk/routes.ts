import { Readable } from 'node:stream';
import { unknownBulk } from '../../../domain/bulk/access.ts';
import type { Rule } from '../../../domain/image/access.ts';
import type { BulkRecord } from '../../../projections/bulk/imports.ts';
import { ManifestRefused, textOf } from '../../bulk/manifest/problems.ts';
import { readManifest } from '../../bulk/manifest/read.ts';
import { digestOf, itemsOf, type Surroundings } from '../../bulk/manifest/resolve.ts';
import { manifestJsonSchema } from '../../bulk/manifest/schema.ts';
import type { BaseUrl } from '../base-url.ts';
import { expectNoBody, jsonBody, textBody } from '../body.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import type { Identity } from '../identity.ts';
import { type GatewayRouter, type Handler, parameter } from '../routes/routes.ts';
import { isUuid } from '../wire/image-schema.ts';
import { lastOf, parametersOf } from '../wire/query-string.ts';
import { type AssessmentPorts, admitItems, assessed } from './assessment.ts';
import { type BulkChange, type BulkCommandPorts, bulkCommands } from './commands.ts';
import { bulkDocument } from './documents.ts';
import { type ProgressPorts, progressStreams, snapshot, withProgress } from './progress-stream.ts';
import { allItems, csvReport, jsonReport } from './report.ts';
import {
  askedItemsFrom,
  askedPageFrom,
  askedPriorityFrom,
  askedRequestFrom,
  formatFrom,
  knowing,
} from './requests.ts';

export interface BulkPorts
  extends BulkCommandPorts,
    Omit<AssessmentPorts, 'log'>,
    Omit<ProgressPorts, 'imports'> {
  readonly surroundings: Omit<Surroundings, 'caller'>;
  readonly identity: Identity;
}

const mostOfPage = 1_000;
const mostImages = 100_000;
const bodyTimeoutMs = 120_000;
const megabyte = 1024 * 1024;
/** YAML takes a hundred times as long to read as the others. */
const mostBytes = {
  json: 64 * megabyte,
  ndjson: 64 * megabyte,
  csv: 64 * megabyte,
  yaml: 2 * megabyte,
};

const all = '/bulk/v1/imports';
const one = `${all}/:importId`;

/** Imports of many images at once. */
export function bulkRoutes(
  router: GatewayRouter,
  { baseUrl, ...ports }: BulkPorts & { readonly baseUrl: BaseUrl },
): void {
  const { access, imports, decider, surroundings, identity } = ports;
  const commands = bulkCommands(ports);
  const streamProgress = progressStreams(ports);

  const found = async (
    ctx: Parameters<Handler>[0],
    { caller }: Call,
    rule: Rule,
  ): Promise<BulkRecord> => {
    const importId = parameter(ctx, 'importId');
    const record = isUuid(importId) ? await imports.show(importId.toLowerCase()) : undefined;
    if (record === undefined) throw unknownBulk();
    access.authorize(rule, record, caller);
    return record;
  };

  router.get('/bulk/v1/schema', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = manifestJsonSchema;
  });

  router.post(all, async (ctx) => {
    const { caller } = ctx.call;
    const asked = askedRequestFrom(parametersOf(ctx.querystring));
    const format = formatFrom(ctx.get('Content-Type'));
    access.authorizeOwn('add_bulk_import', caller);
    try {
      const read = readManifest(await textBody(ctx, mostBytes[format], bodyTimeoutMs), format);
      if (read.manifest.images.length > mostImages)
        throw new HttpError(413, `A bulk import can have at most ${mostImages} images.`);
      const items = await itemsOf(read, { ...surroundings, caller });
      admitItems(items, caller, decider);
      if (asked.dryRun) {
        ctx.body = {
          dry_run: true,
          images: items.length,
          digest: digestOf(items),
          items: await assessed(items, caller, ports),
        };
        return;
      }
      const record = await commands.request(ctx.call, {
        name: asked.name ?? read.manifest.name ?? null,
        priority: asked.priority ?? read.manifest.priority ?? 'normal',
        items,
      });
      ctx.status = 202;
      ctx.set('Location', `${baseUrl(ctx.req)}${all}/${record.id}`);
      ctx.body = bulkDocument(record);
    } catch (error) {
      if (!(error instanceof ManifestRefused)) throw error;
      ctx.status = 400;
      ctx.body = {
        message: 'The manifest will not do.',
        problems: error.problems.map((problem) => ({ ...problem, text: textOf(problem) })),
      };
    }
  });

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const page = askedPageFrom(parametersOf(ctx.querystring), mostOfPage);
    access.authorizeOwn('get_bulk_imports', caller);
    const viewer = { projectId: caller.projectId, isAdmin: access.isAdmin(caller) };
    const records = await imports.list({ ...page, viewer });
    const shown = records.filter((record) => access.allows('get_bulk_import', record, caller));
    ctx.body = {
      imports: shown.map((record) => bulkDocument(record)),
      next: records.length < page.limit ? null : (records.at(-1)?.id ?? null),
    };
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = await snapshot(await found(ctx, ctx.call, 'get_bulk_import'), ports);
  });

  router.get(`${one}/items`, async (ctx) => {
    expectNoBody(ctx.req);
    const query = askedItemsFrom(parametersOf(ctx.querystring), mostOfPage);
    const { id } = await found(ctx, ctx.call, 'get_bulk_import');
    const items = await imports.items(id, query);
    ctx.body = {
      items: await withProgress(items, ports),
      next: items.length < query.limit ? null : String(items.at(-1)?.item),
    };
  });

  router.get(`${one}/stream`, async (ctx) => {
    expectNoBody(ctx.req);
    const record = await found(ctx, ctx.call, 'get_bulk_import');
    const wish = { method: ctx.method, path: ctx.path };
    await streamProgress(ctx, record.id, async () => {
      const { caller } = await identity.identify(ctx.headers, wish);
      return access.allows('get_bulk_import', record, caller);
    });
  });

  router.get(`${one}/report`, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    knowing(parameters, ['format']);
    const format = lastOf(parameters, 'format') ?? (ctx.accepts('json', 'text/csv') || 'json');
    if (!['json', 'csv', 'text/csv'].includes(format))
      throw new HttpError(400, 'The parameter format must be json or csv.');
    const record = await found(ctx, ctx.call, 'get_bulk_import');
    const pages = allItems(imports, record.id);
    const isJson = format === 'json';
    ctx.set('Content-Type', isJson ? 'application/json' : 'text/csv; charset=utf-8');
    ctx.set(
      'Content-Disposition',
      `attachment; filename="import-${record.id}.${isJson ? 'json' : 'csv'}"`,
    );
    ctx.body = Readable.from(isJson ? jsonReport(bulkDocument(record), pages) : csvReport(pages));
  });

  router.patch(one, async (ctx) => {
    const priority = askedPriorityFrom(await jsonBody(ctx));
    const record = await found(ctx, ctx.call, 'modify_bulk_import');
    const change = { type: 'ReprioritizeBulkImport', priority } as const;
    ctx.body = bulkDocument(await commands.change(ctx.call, record, change));
  });

  const changes: Readonly<Record<string, BulkChange>> = {
    pause: { type: 'PauseBulkImport' },
    resume: { type: 'ResumeBulkImport' },
    cancel: { type: 'CancelBulkImport' },
    retry: { type: 'RetryBulkImport' },
  };
  for (const [name, change] of Object.entries(changes))
    router.post(`${one}/${name}`, async (ctx) => {
      expectNoBody(ctx.req);
      const record = await found(ctx, ctx.call, 'modify_bulk_import');
      ctx.body = bulkDocument(await commands.change(ctx.call, record, change));
    });
}
