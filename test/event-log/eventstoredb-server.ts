import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { silent } from '../support/silent-log.ts';
import { eventStoreDbSuite } from './eventstoredb-suite.ts';

const usage = `Usage: npm run test:eventstoredb -- CONNECTION-STRING

Runs the tests of the event log over a real EventStoreDB, for example
  npm run test:eventstoredb -- 'esdb://admin:changeit@127.0.0.1:2113?tls=false'

22.6 or later. The server may hold data and be in use by others, but not by a Daguerre at the
same time. The tests' streams have names that begin with contract- and nobody else has; they stay.
`;

/** 0: the tests run, and set the exit code; 1: nothing answers; 2: wrongly called. */
async function main([url, ...rest]: readonly string[]): Promise<number> {
  if (url === '--help' || url === '-h') {
    process.stdout.write(usage);
    return 0;
  }
  if (url === undefined || rest.length > 0 || !/^esdb(\+discover)?:/.test(url)) {
    process.stderr.write(`an address is needed, esdb:// or esdb+discover://\n\n${usage}`);
    return 2;
  }
  const where = url.replace(/\/\/[^/@]*@/, '//***@');
  try {
    const log = eventStoreDbEventLog(url, { log: silent, upcast: (event) => event });
    await log.head().finally(() => log.close());
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    process.stderr.write(`nothing to test at ${where}: ${reason}\n`);
    return 1;
  }
  eventStoreDbSuite(`EventStoreDB at ${where}`, () => url);
  return 0;
}

const code = await main(process.argv.slice(2));
if (code !== 0) process.exitCode = code;
