import { z } from 'zod';
import { type Limits, LimitsUnavailable } from '../../domain/quota/limits.ts';
import { type Amounts, mebibyte, resources, wireName } from '../../domain/quota/resources.ts';
import { boundedCache } from '../identity/keystone/cache.ts';
import type { KeystoneSession } from '../identity/keystone/session.ts';

export interface KeystoneLimitsOptions {
  /** Region whose limits count; those of no region count where it has none of its own. */
  readonly region: string;
  /** How long an answer is believed; 0 asks for every decision. */
  readonly cacheMs: number;
  /** How long the last answer is believed while Keystone gives none. */
  readonly staleMs: number;
}

const unlimited = -1;
const mostProjects = 10_000;
/** After a failure everybody gets the same one for so long: a flood of requests must not queue up for timeouts. */
const failureMs = 500;

const limit = z.object({
  resource_name: z.string(),
  region_id: z.string().nullable().optional(),
});
const registeredLimits = z.object({
  registered_limits: z.array(limit.extend({ default_limit: z.number() })),
});
const projectLimits = z.object({
  limits: z.array(
    limit.extend({ resource_limit: z.number(), project_id: z.string().nullable().optional() }),
  ),
});
const services = z.object({ services: z.array(z.object({ id: z.string() })) });

/**
 * Keystone's unified limits of the service of type `image`: a project's own limit, else the registered one, else 0; -1 is
 * none. The session needs a system scope: with any other Keystone gives no limits of other projects, and no error.
 */
export function keystoneLimits(
  session: KeystoneSession,
  { region, cacheMs, staleMs }: KeystoneLimitsOptions,
  now: () => number = () => performance.now(),
): Limits {
  const fresh = boundedCache<Amounts>(mostProjects, now);
  const last = boundedCache<Amounts>(mostProjects, now);
  const turns = new Map<string, Turn>();
  let serviceId: string | undefined;
  let failed: { readonly error: unknown; readonly until: number } | undefined;

  const get = async <Document>(path: string, schema: z.ZodType<Document>): Promise<Document> => {
    const { status, text } = await session.get(path);
    if (status !== 200) throw new Error(`Keystone answered ${status} to GET ${path}`);
    return schema.parse(JSON.parse(text));
  };

  const service = async (): Promise<string> => {
    if (serviceId !== undefined) return serviceId;
    const found = await get('/services?type=image', services);
    const [first] = found.services;
    if (first === undefined) throw new Error('Keystone knows no service of type image');
    serviceId = first.id;
    return serviceId;
  };

  const read = async (projectId: string): Promise<Amounts> => {
    const id = encodeURIComponent(await service());
    const [{ registered_limits: registered }, { limits }] = await Promise.all([
      get(`/registered_limits?service_id=${id}`, registeredLimits),
      get(`/limits?service_id=${id}&project_id=${encodeURIComponent(projectId)}`, projectLimits),
    ]);
    const own = limits.filter(({ project_id }) => project_id === projectId);
    const inRegion = <One extends z.infer<typeof limit>>(name: string, all: readonly One[]) => {
      const named = all.filter(({ resource_name }) => resource_name === name);
      return (
        named.find(({ region_id }) => region_id === region) ??
        named.find(({ region_id }) => region_id == null)
      );
    };
    return Object.fromEntries(
      resources.flatMap((resource) => {
        const name = wireName[resource];
        const amount =
          inRegion(name, own)?.resource_limit ?? inRegion(name, registered)?.default_limit ?? 0;
        if (amount === unlimited) return [];
        return [
          [resource, resource === 'bytes' || resource === 'staged' ? amount * mebibyte : amount],
        ];
      }),
    );
  };

  const ask = async (projectId: string): Promise<Amounts> => {
    try {
      if (failed !== undefined && now() < failed.until) throw failed.error;
      const limits = await read(projectId);
      fresh.set(projectId, limits, now() + cacheMs);
      last.set(projectId, limits, now() + staleMs);
      return limits;
    } catch (error) {
      if (failed === undefined || now() >= failed.until)
        failed = { error, until: now() + failureMs };
      const known = last.get(projectId);
      if (known !== undefined) return known;
      throw new LimitsUnavailable(error);
    }
  };

  const begin = (projectId: string): Promise<Amounts> => {
    const turn: Turn = { current: ask(projectId), next: undefined };
    turns.set(projectId, turn);
    const end = (): void => {
      if (turn.next === undefined) turns.delete(projectId);
    };
    turn.current.then(end, end);
    return turn.current;
  };

  return {
    /** However many ask, one question of a project is under way and one waits: no answer is older than its asking. */
    limitsOf(projectId) {
      const known = fresh.get(projectId);
      if (known !== undefined) return Promise.resolve(known);
      const turn = turns.get(projectId);
      if (turn === undefined) return begin(projectId);
      const then = (): Promise<Amounts> => begin(projectId);
      turn.next ??= turn.current.then(then, then);
      return turn.next;
    },
  };
}

interface Turn {
  readonly current: Promise<Amounts>;
  next: Promise<Amounts> | undefined;
}
