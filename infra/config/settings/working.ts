import { count, milliseconds, oneOf, setting, whole } from './kinds.ts';

const processes = whole(1, 64);

/** Workers, and every process: how much at once, how watched, how talkative. */
export const workingSettings = {
  gateways: setting(
    processes.default(1),
    'gateway processes that one start runs, on ports from --port on',
    'COUNT',
  ),
  workers: setting(processes.default(1), 'worker processes that one start runs', 'COUNT'),
  projectors: setting(
    processes.default(1),
    'projector processes that one start runs; one is at work, another takes over from it',
    'COUNT',
  ),
  'worker-slots': setting(
    count.default(4),
    'uploads that one worker process finishes at once',
    'COUNT',
  ),
  'project-ingest-limit': setting(
    whole(0, 10_000).default(0),
    'uploads of one project that are finished at once, all workers together; others have their turn then; 0 is no limit',
    'COUNT',
  ),
  'digest-threads': setting(
    count.optional(),
    'threads that hash, per worker process (default: as many as there are cores, at least 2)',
    'COUNT',
  ),
  'lease-ms': setting(
    milliseconds.default(4000),
    'a process whose heartbeat stands still for this long is taken to be dead',
    'MS',
  ),
  'sweep-interval-ms': setting(
    milliseconds.default(60_000),
    'how often staging and store are searched for bytes that nothing names',
    'MS',
  ),
  'log-level': setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
    'least severe messages to log',
    'LEVEL',
  ),
} as const;
