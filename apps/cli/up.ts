import { standalone } from '../standalone/standalone.ts';
import type { Command } from './command.ts';

export const upCommand: Command = {
  name: 'up',
  summary: 'run the whole of Daguerre on this machine (what npm start does)',
  run: standalone,
};
