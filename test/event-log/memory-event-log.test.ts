import { memoryEventLog, memoryStorage } from '../../infra/event-log/memory/event-log.ts';
import { contractUpcast, eventLogContract } from '../contracts/event-log.ts';

const storage = memoryStorage();
eventLogContract('memory', async () => memoryEventLog({ upcast: contractUpcast, storage }));
