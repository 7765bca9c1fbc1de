import { wordsAndFlags } from './words-and-flags.ts';

export const webhookArguments = wordsAndFlags({
  valued: ['project', 'type', 'image', 'signature', 'after', 'description', 'event'],
  switches: ['all-projects', 'failed'],
});

export type WebhookArguments = ReturnType<typeof webhookArguments>;
