import type { Amounts } from '../../domain/quota/resources.ts';
import type { Config } from '../config/config.ts';

/** The limits of the configuration; 0 is none. */
export function limitsIn(config: Config): Amounts {
  const set: readonly (readonly [keyof Amounts, number])[] = [
    ['images', config['image-count-quota']],
    ['bytes', config['user-storage-quota']],
    ['staged', config['image-stage-quota']],
    ['uploads', config['image-uploading-quota']],
  ];
  return Object.fromEntries(set.filter(([, limit]) => limit > 0));
}

/** Whether anything of any project is limited. */
export const isLimited = (config: Config): boolean =>
  config['use-keystone-limits'] || Object.keys(limitsIn(config)).length > 0;
