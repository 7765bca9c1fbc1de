/** Calls itself ready and lives until it is killed. Run by keep-running.test.ts. */
process.send?.({ owner: `mortal-${process.pid}` });
setInterval(() => undefined, 60_000);
