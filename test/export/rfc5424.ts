/** One syslog message, as RFC 5424 has it; `null` stands for the NILVALUE. */
export interface SyslogMessage {
  readonly facility: number;
  readonly severity: number;
  readonly timestamp: string;
  readonly hostName: string | null;
  readonly appName: string | null;
  readonly processId: string | null;
  readonly messageId: string | null;
  readonly data: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly message: string;
}

/** HEADER of RFC 5424, section 6, rule by rule of its ABNF. */
const header =
  /^<(0|[1-9]\d{0,2})>([1-9]\d{0,2}) (\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /;
/** SD-NAME: visible ASCII but `=`, space, `]` and `"`, of 32 at most; with a private number behind an `@` (6.3.2). */
const sdId = /^\[((?:(?![=\]"@])[!-~]){1,32}(?:@[1-9]\d*(?:\.\d+)*)?)/;
const sdParameter = /^ ((?:(?![=\]"])[!-~]){1,32})="((?:[^"\\\]]|\\["\\\]]|\\(?!["\\\]]))*)"/su;
const mark = '\u{FEFF}';

/** Throws for whatever the RFC does not allow. */
export function parsedMessage(octets: Buffer): SyslogMessage {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  const found = header.exec(text);
  if (found === null) throw new Error(`no header of RFC 5424: ${text.slice(0, 120)}`);
  const [whole, priority, version, timestamp = '', ...names] = found;
  if (Number(priority) > 191) throw new Error(`PRIVAL ${priority}`);
  if (version !== '1') throw new Error(`VERSION ${version}`);
  let rest = text.slice(whole.length);
  const data = new Map<string, ReadonlyMap<string, string>>();
  if (rest.startsWith('-')) rest = rest.slice(1);
  else
    do {
      const [element, id] = sdId.exec(rest) ?? [];
      if (element === undefined || id === undefined) throw new Error(`no SD-ELEMENT: ${rest}`);
      if (data.has(id)) throw new Error(`SD-ID ${id} twice`);
      rest = rest.slice(element.length);
      const parameters = new Map<string, string>();
      for (let one = sdParameter.exec(rest); one !== null; one = sdParameter.exec(rest)) {
        parameters.set(one[1] ?? '', (one[2] ?? '').replaceAll(/\\(["\\\]])/g, '$1'));
        rest = rest.slice(one[0].length);
      }
      if (!rest.startsWith(']')) throw new Error(`an SD-ELEMENT without an end: ${rest}`);
      rest = rest.slice(1);
      data.set(id, parameters);
    } while (rest.startsWith('['));
  if (rest !== '' && !rest.startsWith(' ')) throw new Error(`no space before MSG: ${rest}`);
  const message = rest.slice(1);
  if (!message.startsWith(mark) && /[^\p{ASCII}]/u.test(message))
    throw new Error('a MSG in UTF-8 begins with a byte order mark (6.4)');
  const [hostName, appName, processId, messageId] = names.map((name) =>
    name === '-' ? null : name,
  );
  return {
    facility: Math.floor(Number(priority) / 8),
    severity: Number(priority) % 8,
    timestamp,
    hostName: hostName ?? null,
    appName: appName ?? null,
    processId: processId ?? null,
    messageId: messageId ?? null,
    data,
    message: message.startsWith(mark) ? message.slice(1) : message,
  };
}

/**
 * Takes whole frames out of what has come: `MSG-LEN SP SYSLOG-MSG` (RFC 6587, 3.4.1; RFC 5425, 4.3). Gives the rest, which
 * may become one.
 */
export function framesIn(octets: Buffer): { readonly frames: readonly Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let rest = octets;
  for (;;) {
    const space = rest.indexOf(' ');
    const length = rest.subarray(0, space < 0 ? 10 : space).toString();
    if (rest.length > 0 && !/^[1-9]\d{0,8}$/.test(length) && (space >= 0 || !/^\d*$/.test(length)))
      throw new Error(`no MSG-LEN: ${length}`);
    if (space < 0) return { frames, rest };
    const end = space + 1 + Number(length);
    if (rest.length < end) return { frames, rest };
    frames.push(rest.subarray(space + 1, end));
    rest = rest.subarray(end);
  }
}
