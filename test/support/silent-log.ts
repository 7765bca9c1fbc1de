import type { Log } from '../../infra/postgres/log.ts';

export const silent: Log = { info() {}, warn() {}, error() {} };
