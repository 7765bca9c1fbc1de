import { z } from 'zod';

/** What is read of Keystone's answers (Identity API v3, "Validate and show information for token"). */
const moment = z.string().transform((text, context) => {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) context.addIssue(`not a time: ${text}`);
  return milliseconds;
});

const inDomain = z.object({ id: z.string(), domain: z.object({ id: z.string() }) });

const accessRule = z.object({ service: z.string(), method: z.string(), path: z.string() });

export type AccessRule = z.infer<typeof accessRule>;

const tokenDocument = z.object({
  token: z.object({
    /** Null is never. */
    expires_at: moment.nullable().transform((at) => at ?? Number.POSITIVE_INFINITY),
    user: inDomain.extend({ name: z.string() }),
    roles: z.array(z.object({ name: z.string() })).default([]),
    project: inDomain.optional(),
    domain: z.object({ id: z.string() }).optional(),
    system: z.object({ all: z.boolean().optional() }).optional(),
    application_credential: z.object({ access_rules: z.array(accessRule).nullish() }).optional(),
  }),
});

const endpoint = z.object({
  url: z.string(),
  interface: z.string(),
  region: z.string().nullish(),
  region_id: z.string().nullish(),
});

export type Endpoint = z.infer<typeof endpoint>;

const loginDocument = z.object({
  token: z.object({
    issued_at: moment,
    expires_at: moment,
    catalog: z
      .array(z.object({ type: z.string(), endpoints: z.array(endpoint).default([]) }))
      .default([]),
  }),
});

export type TokenDocument = z.infer<typeof tokenDocument>['token'];
export type LoginDocument = z.infer<typeof loginDocument>['token'];

/** Where services are, by what the token's catalog says. */
export const catalogFrom = (text: string): LoginDocument['catalog'] => loginFrom(text).catalog;

/** Both throw on what is not such a document, without its values. */
export const tokenFrom = (text: string): TokenDocument => parsed(tokenDocument, text).token;
export const loginFrom = (text: string): LoginDocument => parsed(loginDocument, text).token;

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  const result = schema.safeParse(json(text));
  if (result.success) return result.data;
  throw new Error(`an answer is not of Keystone's form: ${z.prettifyError(result.error)}`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new Error('an answer is not JSON');
  }
}
