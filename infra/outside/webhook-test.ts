import { z } from 'zod';
import { attributes, schemaId, sourceOf, typePrefix } from './cloud-event.ts';

/** Data of a test. */
export const testData = z.object({});
export const testName = 'webhook.Test';

/** What a webhook is sent when somebody tries it: about no fact, so it has no place in the log. */
export const testEnvelope = attributes.extend({
  type: z.literal(`${typePrefix}${testName}`),
  subject: z.string().describe('`webhook/{id}`.'),
  time: z.iso.datetime().describe('When it was tried.'),
});

export const testDocument = (
  webhookId: string,
  { id, region, at }: { readonly id: string; readonly region: string; readonly at: Date },
): z.infer<typeof testEnvelope> & { readonly data: z.infer<typeof testData> } => ({
  specversion: '1.0',
  id,
  source: sourceOf(region),
  type: `${typePrefix}${testName}`,
  subject: `webhook/${webhookId}`,
  time: at.toISOString(),
  datacontenttype: 'application/json',
  dataschema: schemaId(testName),
  region,
  data: {},
});
