import type { Section } from './case.ts';
import { access } from './sections/access.ts';
import { actions } from './sections/actions.ts';
import { cache } from './sections/cache.ts';
import { clients } from './sections/clients.ts';
import { content } from './sections/content.ts';
import { create } from './sections/create.ts';
import { deletion } from './sections/deletion.ts';
import { download } from './sections/download.ts';
import { errors } from './sections/errors.ts';
import { filters } from './sections/filters.ts';
import { importing } from './sections/import.ts';
import { info } from './sections/info.ts';
import { limits } from './sections/limits.ts';
import { locations } from './sections/locations.ts';
import { members } from './sections/members.ts';
import { metadefDefinitions } from './sections/metadef-definitions.ts';
import { metadefNamespaces } from './sections/metadef-namespaces.ts';
import { paging } from './sections/paging.ts';
import { patch } from './sections/patch.ts';
import { patchedLocations } from './sections/patched-locations.ts';
import { record } from './sections/record.ts';
import { schemas } from './sections/schemas.ts';
import { show } from './sections/show.ts';
import { sorting } from './sections/sorting.ts';
import { stage } from './sections/stage.ts';
import { states } from './sections/states.ts';
import { stores } from './sections/stores.ts';
import { tags } from './sections/tags.ts';
import { tasks } from './sections/tasks.ts';
import { transport } from './sections/transport.ts';
import { upload } from './sections/upload.ts';
import { versions } from './sections/versions.ts';
import { visibility } from './sections/visibility.ts';

/** In the order of the reference. */
export const sections: readonly Section[] = [
  transport,
  errors,
  versions,
  record,
  states,
  visibility,
  access,
  create,
  show,
  filters,
  sorting,
  paging,
  deletion,
  patch,
  upload,
  stage,
  download,
  importing,
  tasks,
  actions,
  tags,
  members,
  locations,
  patchedLocations,
  info,
  stores,
  limits,
  cache,
  schemas,
  metadefNamespaces,
  metadefDefinitions,
  content,
  clients,
];
