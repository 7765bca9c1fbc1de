import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFileServer } from '../support/file-server.ts';
import { keepsTheReference } from './embedded-site.ts';
import { someBytes } from './site.ts';

keepsTheReference('an embedded Daguerre with several stores that shows locations', {
  async begin() {
    const directory = await mkdtemp(join(tmpdir(), 'conformance-'));
    const server = await startFileServer();
    const config = join(directory, 'daguerre.yaml');
    await writeFile(
      config,
      `stores:
  - { id: cheap, type: file, description: "on discs" }
  - { id: fast, type: file, weight: 10 }
  - { id: web, type: http, allowed-ports: [80, 443, ${server.port}], allowed-cidrs: [127.0.0.1/32] }
default-store: cheap
show-multiple-locations: true
show-image-direct-url: true
import-allowed-ports: [80, 443, ${server.port}]
import-allowed-cidrs: [127.0.0.1/32]
`,
    );
    return {
      args: ['--config', config],
      source: server.put('/image', someBytes),
      async end() {
        await server.stop();
        await rm(directory, { recursive: true });
      },
    };
  },
  lacks: [
    'cache',
    'glance-download',
    'keystone',
    'no direct url',
    'no glance-direct',
    'no shown locations',
    'single store',
    'unified limits',
  ],
});
