import { unknownImage } from '../commands.ts';
import { isUuid } from '../wire/image-schema.ts';
import { type Handler, parameter } from './routes.ts';

/** The image that a path names, in the one spelling that streams and rows use; 404 where it cannot be one. */
export function imageIdOf(ctx: Parameters<Handler>[0]): string {
  const given = parameter(ctx, 'imageId');
  if (!isUuid(given)) throw unknownImage(given);
  return given.toLowerCase();
}
