import { type CloudEvent, cloudEventType } from './cloud-event.ts';

const ofNew = cloudEventType('image', 'ImageCreated');
const ofChanged = cloudEventType('image', 'ImageUpdated');

type Changes = readonly { readonly property: string }[];
type Properties = Readonly<Record<string, string>>;

/** Names of the custom properties of an image that a document tells of. */
export function propertiesIn({ type, data }: CloudEvent): readonly string[] {
  if (type === ofNew) return Object.keys(data.properties as Properties);
  if (type === ofChanged) return (data.properties as Changes).map(({ property }) => property);
  return [];
}

/** The same document without a word of these. */
export function withoutProperties(document: CloudEvent, hidden: readonly string[]): CloudEvent {
  if (hidden.length === 0) return document;
  const { type, data } = document;
  const isShown = (property: string): boolean => !hidden.includes(property);
  const properties =
    type === ofNew
      ? Object.fromEntries(
          Object.entries(data.properties as Properties).filter(([property]) => isShown(property)),
        )
      : (data.properties as Changes).filter(({ property }) => isShown(property));
  return { ...document, data: { ...data, properties } };
}
