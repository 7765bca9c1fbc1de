import { type Content, type Image, isThere, type Upload } from '../image/state.ts';
import { nothing, type Usage } from './resources.ts';

/** What one image takes of its owner's quota (reference, section 16). */
export function chargeOf(image: Image): Usage {
  if (!isThere(image)) return nothing;
  const { upload } = image;
  const content = 'content' in image ? image.content : undefined;
  const copying = content !== undefined && copies(upload);
  // What an import has written so far is in its reservation until it is over.
  const unsettled = copying ? written(content, upload) : 0;
  const arriving = image.status !== 'queued' && content === undefined;
  const staging = image.status === 'uploading' || image.status === 'importing';
  return {
    images: 1,
    bytes: content === undefined ? 0 : content.size * (content.locations.length - unsettled),
    staged: copying ? content.size : staging ? (upload?.stagedSize ?? 0) : 0,
    uploads: copying || arriving ? 1 : 0,
  };
}

const written = ({ locations }: Content, upload: Upload | null): number =>
  locations.filter((one) =>
    upload?.content.locations.some(({ id, store }) => id === one.id && store === one.store),
  ).length;

const copies = (upload: Upload | null): boolean =>
  upload !== null && upload.method !== null && upload.method.name !== 'location';
