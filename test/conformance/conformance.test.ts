import { keepsTheReference } from './embedded-site.ts';

keepsTheReference('an embedded Daguerre as it comes', {
  begin: async () => ({ args: [] }),
  lacks: [
    'cache',
    'copy-image',
    'direct url',
    'glance-download',
    'http store',
    'keystone',
    'multiple stores',
    'no glance-direct',
    'shown locations',
    'two writable stores',
    'unified limits',
    'web-download',
  ],
});
