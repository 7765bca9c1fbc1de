import type { RecordedEvent } from '../../domain/event-log.ts';
import { entityOf, type Place } from './cloud-event.ts';

/** `daguerre.v1.{region}.{kind}.{project}.{id}.{event}`: where a bus carries the document. */
export function subjectOf(
  { streamId, type }: Pick<RecordedEvent, 'streamId' | 'type'>,
  { region, projectId }: Pick<Place, 'region' | 'projectId'>,
): string {
  const { kind, id } = entityOf(streamId);
  const project = projectId === null ? '_' : projectToken(projectId);
  return ['daguerre', 'v1', subjectToken(region), kind, project, subjectToken(id), type].join('.');
}

/** What a bus reads as one token: bytes of UTF-8 outside `[A-Za-z0-9_-]` are `=` and two hex digits. */
export const subjectToken = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(character) ? character : encoded(byte);
    })
    .join('') || '=';

/** `_` alone is no project, so a project of that name is not written so. */
export const projectToken = (projectId: string): string =>
  projectId === '_' ? encoded(0x5f) : subjectToken(projectId);

const encoded = (byte: number): string => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
