import { wordList } from '../lists.ts';
import { count, seconds, setting, size } from './kinds.ts';

/** How imports fetch what is elsewhere. */
export const downloadsSettings = {
  'import-connections': setting(
    count.default(4),
    'connections side by side for one file, where its server gives ranges',
    'COUNT',
  ),
  'import-host-connections': setting(
    count.default(16),
    'connections of one worker process to one host at a time; others wait for theirs',
    'COUNT',
  ),
  'import-bandwidth': setting(
    size.default(0),
    'bytes that one worker process fetches in a second, with B, KB, MB, GB or TB; 0 is no limit',
    'SIZE',
  ),
  'import-project-bandwidth': setting(
    size.default(0),
    'bytes that one worker process fetches in a second for one project; 0 is no limit',
    'SIZE',
  ),
  'import-host-bandwidth': setting(
    size.default(0),
    'bytes that one worker process fetches in a second from one host; 0 is no limit',
    'SIZE',
  ),
  'import-stall-timeout': setting(
    seconds.default(60),
    'a connection on which nothing comes for so long is given up, and tried again',
    'SECONDS',
  ),
  'import-patience': setting(
    seconds.default(600),
    'a download that has not got on for so long has failed; any time may pass while bytes come',
    'SECONDS',
  ),
  'glance-download-properties': setting(
    wordList.default(['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type']),
    'what the names of properties begin with that glance-download copies',
    'PREFIXES',
  ),
} as const;
