import { type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on standard output; `part` is the process (`gateway`, `worker` …). */
export const logger = (part: string, level: string): Logger =>
  pino({
    level,
    base: { part, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    messageKey: 'message',
    formatters: { level: (label) => ({ level: label }) },
  });
