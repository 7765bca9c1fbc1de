import { usualRetrySeconds } from '../../../domain/webhook/schedule.ts';
import { nameList, networkList, portList, secondsList } from '../lists.ts';
import { limit, milliseconds, setting, trueOrFalse, whole } from './kinds.ts';

/** Where webhooks may be, and how persistent they are told. */
export const webhooksSettings = {
  'webhook-allowed-hosts': setting(
    nameList.default([]),
    'the only hosts that webhooks may be at; those named may have any address (default: all)',
    'HOSTS',
  ),
  'webhook-allowed-ports': setting(
    portList.default([443]),
    'the only ports that webhooks may be at',
    'PORTS',
  ),
  'webhook-allowed-cidrs': setting(
    networkList.default([]),
    'networks that webhooks may be in though they are private, loopback or otherwise special',
    'NETWORKS',
  ),
  'webhook-allow-http': setting(trueOrFalse.default(false), 'webhooks may be at http URLs, too'),
  'webhook-endpoint-quota': setting(
    limit.default(20),
    'most webhooks of a project; -1 is no limit',
    'COUNT',
  ),
  'webhook-timeout-ms': setting(
    milliseconds.default(15_000),
    'longest wait for the answer of a webhook',
    'MS',
  ),
  'webhook-retry-seconds': setting(
    secondsList.default([...usualRetrySeconds]),
    'from each failed attempt to tell a webhook to the next, the last again and again',
    'SECONDS',
  ),
  'webhook-disable-after-hours': setting(
    whole(1, 8_760).default(120),
    'a webhook that does not take an event for so long is disabled',
    'HOURS',
  ),
} as const;
