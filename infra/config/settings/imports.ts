import { nameList, networkList, portList } from '../lists.ts';
import { count, setting, whole } from './kinds.ts';

/** Where imports may fetch from. */
export const importsSettings = {
  'import-allowed-hosts': setting(
    nameList.default([]),
    'the only hosts that imports may fetch from; those named may have any address (default: all)',
    'HOSTS',
  ),
  'import-disallowed-hosts': setting(
    nameList.default([]),
    'hosts that imports may not fetch from',
    'HOSTS',
  ),
  'import-allowed-ports': setting(
    portList.default([80, 443]),
    'the only ports that imports may fetch from',
    'PORTS',
  ),
  'import-disallowed-ports': setting(
    portList.default([]),
    'ports that imports may not fetch from',
    'PORTS',
  ),
  'import-allowed-cidrs': setting(
    networkList.default([]),
    'networks that imports may reach though they are private, loopback or otherwise special',
    'NETWORKS',
  ),
  'import-disallowed-cidrs': setting(
    networkList.default([]),
    'networks that imports may not reach',
    'NETWORKS',
  ),
  'bulk-concurrency': setting(
    count.default(32),
    'images of bulk imports that are under way at once',
    'COUNT',
  ),
  'bulk-project-concurrency': setting(
    whole(0, 1024).default(0),
    'the same of one project; 0 is no limit',
    'COUNT',
  ),
  'bulk-host-concurrency': setting(
    whole(0, 1024).default(16),
    'the same from one host; 0 is no limit',
    'COUNT',
  ),
} as const;
