import { resolve } from 'node:path';
import { z } from 'zod';
import { type FormatName, formatNames } from '../../domain/export/format.ts';

/** What every target of the audit export is told. */
interface Common {
  readonly id: string;
  readonly format: FormatName;
  /** Where a new target begins: at the first event that there is, or at those that come. */
  readonly from: 'start' | 'now';
  /** Whether it is told user names, addresses and agents, which nothing erases where it keeps them. */
  readonly personal: boolean;
}

export interface FileTarget extends Common {
  readonly type: 'file';
  /** Absolute; by default one of its own in the data directory. */
  readonly dir?: string | undefined;
  readonly 'max-bytes': number;
  readonly 'max-age-seconds': number;
}

/** How a server is known, and how we are to it. */
export interface TlsFiles {
  readonly 'ca-file'?: string | undefined;
  readonly 'cert-file'?: string | undefined;
  readonly 'key-file'?: string | undefined;
}

export interface SyslogTarget extends Common, TlsFiles {
  readonly type: 'syslog';
  readonly host: string;
  /** 6514 with TLS (RFC 5425), else 601 (RFC 3195, as RFC 6587 has it). */
  readonly port?: number | undefined;
  readonly tls: boolean;
  readonly facility: number;
  readonly 'enterprise-number': number;
  readonly 'max-message-bytes': number;
  readonly 'timeout-ms': number;
}

interface Web extends Common, TlsFiles {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Records in one request. */
  readonly 'max-records': number;
  readonly 'timeout-ms': number;
}
export interface HttpTarget extends Web {
  readonly type: 'http';
}
export interface OtlpTarget extends Web {
  readonly type: 'otlp';
}

export type ExportTarget = FileTarget | SyslogTarget | HttpTarget | OtlpTarget;

const name = (key: string) =>
  z.string({ error: `${key} must be text` }).min(1, { error: `${key} must not be empty` });
const path = (key: string) =>
  name(key)
    .transform((given) => resolve(given))
    .optional();
const whole = (key: string, min: number, max: number) => {
  const error = `${key} must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};
const yesOrNo = (key: string) => z.boolean({ error: `${key} must be true or false` });
const oneOf = <const Word extends string>(key: string, words: readonly Word[]) =>
  z.enum(words, { error: `${key} must be ${words.join(' or ')}` });

const common = {
  id: z.string({ error: 'id must be a name' }).regex(/^[A-Za-z0-9][\w.-]{0,63}$/, {
    error: 'id must be a name of letters, digits, dots, dashes and underscores',
  }),
  format: oneOf('format', formatNames).default('event'),
  from: oneOf('from', ['start', 'now']).default('start'),
  personal: yesOrNo('personal').default(true),
};

const tlsFiles = {
  'ca-file': path('ca-file'),
  'cert-file': path('cert-file'),
  'key-file': path('key-file'),
};

const timeout = { 'timeout-ms': whole('timeout-ms', 100, 600_000).default(15_000) };

const ofFile = {
  ...common,
  type: z.literal('file'),
  dir: path('dir'),
  'max-bytes': whole('max-bytes', 1, 2 ** 40).default(64 * 1024 * 1024),
  'max-age-seconds': whole('max-age-seconds', 1, 31_536_000).default(3_600),
};
const ofSyslog = {
  ...common,
  ...tlsFiles,
  ...timeout,
  type: z.literal('syslog'),
  host: name('host'),
  port: whole('port', 1, 65_535).optional(),
  tls: yesOrNo('tls').default(true),
  facility: whole('facility', 0, 23).default(13),
  'enterprise-number': whole('enterprise-number', 1, 2 ** 32 - 1).default(32_473),
  'max-message-bytes': whole('max-message-bytes', 2_048, 2 ** 30).default(8_192),
};
const headerName = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/;
const ofWeb = {
  ...common,
  ...tlsFiles,
  ...timeout,
  url: name('url').refine((given) => /^https?:\/\/[^/]/.test(given) && URL.canParse(given), {
    error: 'url must be an address that begins with http:// or https://',
  }),
  headers: z
    .record(z.string(), z.string().regex(/^[\t -~]*$/), {
      error: 'headers must be names and their texts',
    })
    .refine((given) => Object.keys(given).every((key) => headerName.test(key)), {
      error: 'headers must be names and their texts',
    })
    .default({}),
  'max-records': whole('max-records', 1, 1_000).default(100),
};
const ofHttp = { ...ofWeb, type: z.literal('http') };
const ofOtlp = { ...ofWeb, type: z.literal('otlp') };

const strict = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `there is no ${issue.keys?.join(', no ')} of a target of this type, but ${Object.keys(shape).join(', ')}`
        : undefined,
  });

const target = z.discriminatedUnion(
  'type',
  [strict(ofFile), strict(ofSyslog), strict(ofHttp), strict(ofOtlp)],
  { error: 'type must be file, syslog, http or otlp' },
);

const list = z
  .array(target, { error: 'must be a list of targets' })
  .superRefine((targets, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    for (const id of repeated(targets.map((one) => one.id)))
      complain(`two targets have the id ${id}`);
    for (const dir of repeated(targets.flatMap((one) => ('dir' in one && one.dir) || [])))
      complain(`two targets have the directory ${dir}`);
    for (const [at, one] of targets.entries())
      if (
        one.type !== 'file' &&
        (one['cert-file'] === undefined) !== (one['key-file'] === undefined)
      )
        context.addIssue({
          code: 'custom',
          path: [at],
          message: 'cert-file and key-file belong together',
        });
  });

const repeated = (words: readonly string[]): ReadonlySet<string> =>
  new Set(words.filter((one, at) => words.indexOf(one) !== at));

/** As the file has it, or as JSON, which is how a parent tells its children. */
export const exportTargetList = z.preprocess((given) => {
  if (typeof given !== 'string') return given;
  if (given === '') return [];
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}, list.default([]));
