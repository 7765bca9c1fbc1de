import { standalone } from './standalone.ts';

process.exit(await standalone(process.argv.slice(2), process.env));
