import type { AuditArguments } from './audit-arguments.ts';
import type { AuditTools } from './audit-tools.ts';

/** How far the tree is, and whether anything is wrong. */
export async function auditStatus(
  { log, store, memory }: AuditTools,
  given: AuditArguments,
): Promise<string> {
  const [head, tree, signed] = [await log.head(), await store.reach(), await memory.newest()];
  const { alarm, alarmedAt, checkedAt, checkedSize } = await memory.watch();
  const deliveries = await memory.deliveries();
  const key = (await memory.keys()).at(-1)?.verifierKey ?? null;
  const lag = head > tree.position ? head - tree.position : 0n;
  if (given.has('json'))
    return JSON.stringify(
      {
        tree: { size: tree.size, position: String(tree.position), lag: String(lag) },
        signed: signed === undefined ? null : { size: signed.size, at: signed.signedAt },
        key,
        alarm: alarm === null ? null : { message: alarm, since: alarmedAt },
        checked: checkedAt === null ? null : { size: checkedSize, at: checkedAt },
        targets: deliveries,
      },
      undefined,
      2,
    );
  return [
    `tree        ${tree.size} events, at position ${tree.position}, ${lag} behind`,
    signed === undefined
      ? 'signed      nothing yet'
      : `signed      ${signed.size} events, at ${signed.signedAt.toISOString()}`,
    `key         ${key ?? 'none yet'}`,
    `alarm       ${alarm === null ? 'none' : `${alarm} (since ${alarmedAt?.toISOString()})`}`,
    checkedAt === null
      ? 'checked     never'
      : `checked     all of ${checkedSize} events, at ${checkedAt.toISOString()}`,
    ...deliveries.map(
      ({ target, size, sentAt, error }) =>
        `sent        ${target}: ${size} events, at ${sentAt.toISOString()}${error === null ? '' : `; then failed: ${error}`}`,
    ),
  ].join('\n');
}
