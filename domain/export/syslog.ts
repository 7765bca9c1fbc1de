import type { ExportRecord } from './record.ts';

export interface SyslogOptions {
  /** Of RFC 5424, 6.2.1: 13 is "log audit". */
  readonly facility: number;
  readonly hostName: string;
  /**
   * Whose names the structured data has (RFC 5424, 6.3.2). We have no number of our own: 32473 is the one that RFC 5612
   * keeps for examples, which no other product can have; a site with a number of its own may give that.
   */
  readonly enterpriseNumber: number;
}

const notice = 5;
const warning = 4;
const longestMessageId = 32;

/** One message of RFC 5424, without a frame; `json` is what it says. */
export function syslogMessage(
  record: ExportRecord,
  json: string,
  { facility, hostName, enterpriseNumber }: SyslogOptions,
): string {
  const priority = facility * 8 + (record.refused ? warning : notice);
  const header = [
    `<${priority}>1`,
    record.time.toISOString(),
    printable(hostName, 255),
    'daguerre',
    '-',
    printable(record.type, longestMessageId),
  ].join(' ');
  return `${header} ${structuredData(record, enterpriseNumber)} ${inAscii(json)}`;
}

function structuredData(record: ExportRecord, enterpriseNumber: number): string {
  const { metadata, object, person } = record;
  const { actor, globalRequestId, rule } = metadata;
  const parameters: Readonly<Record<string, string | null | undefined>> = {
    position: String(record.position),
    id: record.id,
    type: record.type,
    outcome: record.refused ? 'refused' : 'success',
    kind: object?.kind,
    object: object?.id,
    project: record.projectId,
    actor: actor.kind === 'user' ? actor.userId : `daguerre:${actor.part}`,
    request: metadata.requestId,
    globalRequest: globalRequestId,
    rule,
    address: person?.remoteAddress || null,
  };
  const told = Object.entries(parameters).flatMap(([name, value]) =>
    value == null ? [] : [` ${name}="${escaped(value)}"`],
  );
  return `[daguerre@${enterpriseNumber}${told.join('')}]`;
}

/** RFC 5424, 6.3.3: `"`, `\` and `]` take a backslash; a line's end would split the message for who reads lines. */
const escaped = (value: string): string =>
  value.replaceAll(/["\\\]]/g, '\\$&').replaceAll(/\p{Cc}/gu, ' ');

/** The header's names are of visible ASCII; `-` stands for none. */
const printable = (text: string, longest: number): string =>
  text.replaceAll(/[^!-~]/g, '_').slice(0, longest) || '-';

/** JSON in ASCII alone, so that no byte order mark is needed before it (RFC 5424, 6.4), which JSON would not have. */
const inAscii = (json: string): string =>
  json.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
