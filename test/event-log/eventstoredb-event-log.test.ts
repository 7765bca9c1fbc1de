import { after, before } from 'node:test';
import {
  type EventStoreDbDouble,
  eventStoreDbDouble,
} from '../support/eventstoredb-double/double.ts';
import { eventStoreDbSuite } from './eventstoredb-suite.ts';

let double: EventStoreDbDouble;
before(async () => {
  double = await eventStoreDbDouble();
});
after(() => double.stop());

eventStoreDbSuite('EventStoreDB (a protocol double)', () => double.url);
