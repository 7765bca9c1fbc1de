import { wordsAndFlags } from './words-and-flags.ts';

export const auditArguments = wordsAndFlags({
  valued: ['key', 'seen', 'since', 'from', 'to', 'output', 'overlap-hours'],
  switches: ['all', 'json', 'lost'],
  short: { '-o': 'output' },
});

export type AuditArguments = ReturnType<typeof auditArguments>;
