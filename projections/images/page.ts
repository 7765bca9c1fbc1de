import type { ImageRecord } from './record.ts';

/** A page ends with the part that passes this, in characters: the next page goes on behind it. */
const mostOnPage = 16 * 1024 * 1024;

/** Of a member beside its id: a status and two times. */
const memberWeight = 100;

/** What clients can make large of an image, in characters. */
const weightOf = ({ members, properties, tags }: ImageRecord): number => {
  let weight = 512;
  for (const [name, value] of Object.entries(properties)) weight += name.length + value.length;
  for (const tag of tags) weight += tag.length;
  for (const { projectId } of members) weight += projectId.length + memberWeight;
  return weight;
};

export const weightOfPage = (page: readonly ImageRecord[]): number =>
  page.reduce((sum, image) => sum + weightOf(image), 0);

/** Whether more images may follow: there are as many as were asked for, or they are so large that the page was cut. */
export const isFull = (page: readonly ImageRecord[], limit: number): boolean =>
  page.length >= limit || weightOfPage(page) >= mostOnPage;
