import { setTimeout as delay } from 'node:timers/promises';
import { type BundlePorts, logBundle } from '../../infra/audit/bundle.ts';
import type { AuditMemory, SignedHead } from '../../infra/audit/memory.ts';
import { type Report, verifyBundle } from '../../infra/audit/verifier.ts';
import type { Log } from '../../infra/postgres/log.ts';

/** Of the time between two tiles, what a check takes of a processor that others need. */
const share = 0.2;

/** Compares every event of the log with the tree that was signed last, as who has a bundle of it does. */
export async function checkLog(
  ports: Omit<BundlePorts, 'memory'> & { readonly memory: Pick<AuditMemory, 'keys'> },
  head: SignedHead,
  { isGentle = false, signal }: { readonly isGentle?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Report> {
  let began = performance.now();
  const pause = async (): Promise<void> => {
    signal?.throwIfAborted();
    const ms = (performance.now() - began) * (1 / share - 1);
    await delay(isGentle ? ms : 0, undefined, signal === undefined ? {} : { signal });
    began = performance.now();
  };
  const keys = (await ports.memory.keys()).map(({ verifierKey }) => verifierKey);
  return verifyBundle(logBundle(ports, head, { pause }), { keys });
}

export const alarmOf = ({ findings, more }: Report): string => {
  const [first, ...rest] = findings;
  const others = rest.length + more;
  return `${first?.message ?? ''}${others === 0 ? '' : `, and ${others} more findings`}`;
};

export interface CheckerOptions {
  readonly ports: BundlePorts;
  readonly memory: Pick<AuditMemory, 'newest' | 'watch' | 'raise' | 'checked'>;
  readonly everyMs: number;
  readonly isActive: () => Promise<boolean>;
  readonly logger: Log;
  readonly stopping: AbortSignal;
}

const lookEveryMs = 60_000;

/** Checks the whole log again and again, slowly, by whoever keeps the tree. */
export async function checkRegularly(options: CheckerOptions): Promise<void> {
  const { ports, memory, everyMs, isActive, logger, stopping } = options;
  let lookedAt = 0;
  const check = async (): Promise<void> => {
    const [{ checkedAt }, head] = [await memory.watch(), await memory.newest()];
    const isDue = Date.now() - Math.max(lookedAt, checkedAt?.getTime() ?? 0) >= everyMs;
    if (!isDue || head === undefined || !(await isActive())) return;
    lookedAt = Date.now();
    const report = await checkLog(ports, head, { isGentle: true, signal: stopping });
    if (report.ok) {
      await memory.checked(head.size);
      logger.info({ events: report.events }, 'the whole log is what was signed');
      return;
    }
    logger.error({ findings: report.findings }, 'the log is not what was signed');
    await memory.raise(alarmOf(report));
  };
  while (everyMs > 0 && !stopping.aborted) {
    await delay(Math.min(everyMs, lookEveryMs), undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    await check().catch((error) => {
      if (!stopping.aborted) logger.warn({ err: error }, 'the log cannot be checked; trying again');
    });
  }
}
