import { StagingFull } from '../../domain/staging.ts';
import { isFull } from '../files/files.ts';

export async function fullMeansStagingFull<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw isFull(error) ? new StagingFull(error) : error;
  }
}
