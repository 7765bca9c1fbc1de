import { resolve } from 'node:path';
import { readManifest } from '../../infra/backup/manifest.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { isUuid } from '../../infra/files/files.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { restoreBackup } from './restore-backup.ts';
import { restoreImages } from './restore-images.ts';

const usage = `Usage: daguerre restore IMAGE... [FLAGS]
       daguerre restore DIR [FLAGS]

Brings deleted images back as they were, with their bytes, members and properties. It
can do so until the time that daguerre deleted shows. The log keeps who did it.

Or brings a whole Daguerre back from what daguerre backup has written: into a new data
directory, or a new database. All of DIR is verified before, and the log again after.
Interrupted, it leaves nothing that counts: run it again.

  IMAGE             id of an image
  DIR               a backup; one whose name is like an id is written ./NAME

${settingsHelp()}
`;

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'bring deleted images back, while their bytes are kept; or all of it, from a backup',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
    const words = firstFlag < 0 ? args : args.slice(0, firstFlag);
    const [first] = words;
    if (first === undefined)
      throw new UsageError('say which images, by id, or which backup; --help tells more');
    const config = configFrom(args.slice(words.length), environment);
    if (words.every(isUuid)) {
      const refused = await withDatabases(config, (databases) => restoreImages(databases, words));
      return refused === 0 ? 0 : 1;
    }
    const directory = resolve(first);
    const manifest = words.length === 1 ? await readManifest(directory) : undefined;
    if (manifest === undefined)
      throw new UsageError(
        `${words.find((word) => !isUuid(word))} is neither the id of an image nor a directory with a backup`,
      );
    return restoreBackup(config, directory, manifest);
  },
};
