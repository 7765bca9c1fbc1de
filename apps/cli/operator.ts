import { userInfo } from 'node:os';
import type { Person } from '../../infra/personal/records.ts';

/** Who runs a command, as this machine knows them. */
export function operatorOf(userAgent: string): Person {
  const { username, uid } = userInfo();
  return { userId: `uid ${uid}`, userName: username, remoteAddress: '', userAgent };
}
