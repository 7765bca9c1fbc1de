import { startFileServer } from '../support/file-server.ts';
import { keepsTheReference } from './embedded-site.ts';
import { someBytes } from './site.ts';

keepsTheReference('an embedded Daguerre as it comes, but for where imports may fetch from', {
  async begin() {
    const server = await startFileServer();
    return {
      args: [
        ...['--import-allowed-ports', `80,443,${server.port}`],
        ...['--import-allowed-cidrs', '127.0.0.1/32'],
      ],
      source: server.put('/image', someBytes),
      end: server.stop,
    };
  },
  lacks: [
    'cache',
    'direct url',
    'glance-download',
    'http store',
    'keystone',
    'multiple stores',
    'no glance-direct',
    'shown locations',
    'two writable stores',
    'unified limits',
  ],
});
