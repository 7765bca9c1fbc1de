import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the build that the test runs from: `apps/`, `infra/` ... compiled. */
export const built = fileURLToPath(new URL('../..', import.meta.url));

/** Above every build. */
export const project = above(built, 'package.json');

/** What installs are made from. */
export const deploy = join(project, 'infra', 'deploy');

function above(directory: string, name: string): string {
  if (existsSync(join(directory, name))) return directory;
  const parent = join(directory, '..');
  if (parent === directory) throw new Error(`there is no ${name} above the tests`);
  return above(parent, name);
}
