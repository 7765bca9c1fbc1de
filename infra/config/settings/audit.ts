import { resolve } from 'node:path';
import { exportTargetList } from '../export-targets.ts';
import { anyText, milliseconds, oneOf, setting, text, url, whole } from './kinds.ts';

const path = text.transform((given) => resolve(given)).optional();

/** The tree over all events: who signs it, how often, and where checkpoints are sent. */
export const auditSettings = {
  'audit-origin': setting(
    anyText.regex(/^[^\s+]+$/, { error: 'must have neither spaces nor plus signs' }).optional(),
    'what the audit log is called when its first key is made (default: where it is served, else daguerre/REGION)',
    'NAME',
  ),
  'audit-key-file': setting(
    path,
    'the keys that sign checkpoints (default: audit/key in the data directory, made at the first start)',
    'FILE',
  ),
  'audit-checkpoint-ms': setting(
    milliseconds.default(1_000),
    'how often what was appended is put into the tree and signed',
    'MS',
  ),
  'audit-check-hours': setting(
    whole(0, 8_760).default(24),
    'how often the whole log is compared with what was signed; 0 is never',
    'HOURS',
  ),
  'audit-publish-seconds': setting(
    whole(1, 86_400).default(60),
    'how often a new checkpoint is sent to the places below',
    'SECONDS',
  ),
  'audit-publish-dir': setting(path, 'directory that checkpoints are written to', 'DIR'),
  'audit-publish-s3': setting(
    url('s3').optional(),
    'bucket that checkpoints are put into: s3://BUCKET/PREFIX',
    'URL',
  ),
  'audit-s3-endpoint': setting(
    url('http', 'https').optional(),
    "that bucket's server (default: Amazon's of the region)",
    'URL',
  ),
  'audit-s3-region': setting(text.default('us-east-1'), 'its region', 'NAME'),
  'audit-s3-access-key-id': setting(text.optional(), 'who we are there', 'ID'),
  'audit-s3-secret-access-key': setting(
    text.optional(),
    'the key to it; the environment and the file cannot be seen by others on the machine',
    'KEY',
  ),
  'audit-publish-webhook': setting(
    url('http', 'https').optional(),
    'where checkpoints are posted to, by the same rules as webhooks',
    'URL',
  ),
  'personal-records-days': setting(
    whole(0, 36_500).default(0),
    'how long who stood behind an event is kept: name, address and agent, not the id; 0 is for ever',
    'DAYS',
  ),
  'record-downloads': setting(
    oneOf('on', 'off').default('on'),
    'whether it is recorded who reads which bytes of an image, unless its project is set apart (daguerre downloads)',
    'WORD',
  ),
  'download-history-days': setting(
    whole(0, 36_500).default(0),
    'how long ago a download may have begun that is still told of; 0 is for ever',
    'DAYS',
  ),
  'audit-export-targets': {
    ...setting(exportTargetList, 'where every event is exported to: see "Export"', 'LIST'),
    inFileOnly: true,
  },
} as const;
