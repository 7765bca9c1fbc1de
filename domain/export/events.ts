/**
 * What is remembered of an export target in the log, in a stream of its own (`export-{target}`): from where it is told,
 * now and then that it was told everything up to somewhere, and what an operator changed of that. How far it has come lies
 * beside the log; where that is lost, the last of these says from where it is told again.
 */
export type ExportEvent =
  | { readonly type: 'AuditExportBegan'; readonly data: { readonly position: string } }
  | { readonly type: 'AuditExportAcknowledged'; readonly data: { readonly position: string } }
  | { readonly type: 'AuditExportRewound'; readonly data: { readonly position: string } }
  | {
      readonly type: 'AuditExportRecordSkipped';
      readonly data: {
        readonly position: string;
        readonly eventId: string | null;
        /** What the target said when it refused the record. */
        readonly reason: string;
      };
    };

const prefix = 'export-';
export const exportStream = (target: string): string => `${prefix}${target}`;
export const isOfExport = (streamId: string): boolean => streamId.startsWith(prefix);

/** Up to where the target was told, or is not to be told, by the last of the facts; undefined without any. */
export function lastWord(
  events: readonly { readonly data: { readonly position?: unknown } }[],
): bigint | undefined {
  const position = events.at(-1)?.data.position;
  return typeof position === 'string' ? BigInt(position) : undefined;
}
