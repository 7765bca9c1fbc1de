import { isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { imagesOfCsv } from './csv.ts';
import { ManifestRefused, mostProblems, type Problem } from './problems.ts';
import { imageSchema, type Manifest, manifestSchema } from './schema.ts';

export const manifestFormats = ['json', 'yaml', 'ndjson', 'csv'] as const;
export type ManifestFormat = (typeof manifestFormats)[number];

type Path = readonly PropertyKey[];

/** A manifest as it was written, and where in the text each image is. */
export interface ReadManifest {
  readonly manifest: Manifest;
  /** The line of an image, or of one of its fields; null where it is not known. `image` is from 0. */
  lineOf(image: number, field?: string): number | null;
}

/** Throws `ManifestRefused` with what is wrong, by line, image and field. */
export function readManifest(text: string, format: ManifestFormat): ReadManifest {
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (format === 'csv') return fromRows(imagesOfCsv(plain));
  if (format === 'ndjson') return fromRows(imagesOfLines(plain));
  return format === 'json' ? fromJson(plain) : fromYaml(plain);
}

interface Row {
  readonly image: unknown;
  readonly line: number;
}

function fromRows(rows: readonly Row[]): ReadManifest {
  if (rows.length === 0) throw refused('there are no images in it');
  const problems: Problem[] = [];
  const images = rows.flatMap(({ image, line }, index) => {
    const read = imageSchema.safeParse(image);
    if (read.success) return [read.data];
    if (problems.length < mostProblems)
      problems.push(
        ...read.error.issues.flatMap((issue) => problemsOf(issue, issue.path, index, line)),
      );
    return [];
  });
  if (problems.length > 0) throw new ManifestRefused(problems);
  return { manifest: { images }, lineOf: (image) => rows[image]?.line ?? null };
}

function imagesOfLines(text: string): readonly Row[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [{ image: JSON.parse(line) as unknown, line: index + 1 }];
    } catch (error) {
      throw refused(`this is no JSON: ${(error as Error).message}`, index + 1);
    }
  });
}

/** JSON is YAML, and read as such where lines are asked for: that takes much longer. */
function fromJson(text: string): ReadManifest {
  let given: unknown;
  if (text.trim() === '') throw refused('there are no images in it');
  try {
    given = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const [, at] = /at position (\d+)/.exec(message) ?? [];
    const line = at === undefined ? null : text.slice(0, Number(at)).split('\n').length;
    throw refused(`this is no JSON: ${message}`, line);
  }
  let located: Located | undefined;
  const lineAt = (path: Path): number | null => {
    located ??= locatedIn(text);
    return located.lineAt(path);
  };
  return checked(given, lineAt);
}

/** Longer ones take too long to look through for a line. */
const mostLocated = 4 * 1024 * 1024;

function fromYaml(text: string): ReadManifest {
  const { document, lineAt } = locatedIn(text);
  const [error] = document.errors;
  if (error !== undefined)
    throw refused(
      error.message.split('\n')[0] ?? 'this is no YAML',
      error.linePos?.[0].line ?? null,
    );
  try {
    return checked(document.toJS({ maxAliasCount: 100 }), lineAt);
  } catch (cause) {
    if (cause instanceof ReferenceError) throw refused(cause.message);
    throw cause;
  }
}

type Located = ReturnType<typeof locatedIn>;

function locatedIn(text: string) {
  const lines = new LineCounter();
  const document = parseDocument(text.length > mostLocated ? '' : text, {
    lineCounter: lines,
    prettyErrors: true,
  });
  return {
    document,
    /** Of the deepest node on the way there that the text has. */
    lineAt(path: Path): number | null {
      let node: unknown = document.contents;
      let line: number | null = null;
      for (const step of [undefined, ...path]) {
        if (step !== undefined) {
          if (isMap(node)) {
            const pair = node.items.find(({ key }) => isNode(key) && String(key) === String(step));
            if (isNode(pair?.key) && pair.key.range) line = lines.linePos(pair.key.range[0]).line;
            node = pair?.value;
          } else node = isSeq(node) ? node.items[Number(step)] : undefined;
        }
        if (isNode(node) && node.range && !isNamed(step)) line = lines.linePos(node.range[0]).line;
      }
      return line;
    },
  };
}

const isNamed = (step: PropertyKey | undefined): boolean => typeof step === 'string';

/** A list alone is the images. */
function checked(given: unknown, lineAt: (path: Path) => number | null): ReadManifest {
  if (isEmpty(given)) throw refused('there are no images in it');
  const isList = Array.isArray(given);
  const placeOf = (path: Path): Path => (isList ? path.slice(1) : path);
  const read = manifestSchema.safeParse(isList ? { images: given } : given);
  if (read.success)
    return {
      manifest: read.data,
      lineOf: (image, field) => lineAt(placeOf(['images', image, ...(field?.split('.') ?? [])])),
    };
  const problems = read.error.issues.slice(0, mostProblems).flatMap((issue) => {
    const inImage = issue.path[0] === 'images' && typeof issue.path[1] === 'number';
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    const line = lineAt(placeOf([...issue.path, ...keys]));
    return inImage
      ? problemsOf(issue, issue.path.slice(2), Number(issue.path[1]), line)
      : problemsOf(issue, issue.path, null, line);
  });
  throw new ManifestRefused(problems);
}

/** Nothing, a list of nothing, or `images` of either. */
const isEmpty = (given: unknown): boolean => {
  const isNothing = (some: unknown): boolean =>
    some === null || (Array.isArray(some) && some.length === 0);
  return (
    isNothing(given) || isNothing((given as { readonly images?: unknown } | undefined)?.images)
  );
};

/** One for each unknown field; one for anything else. */
function problemsOf(
  issue: z.core.$ZodIssue,
  path: Path,
  image: number | null,
  line: number | null,
): readonly Problem[] {
  const at = { image: image === null ? null : image + 1, line };
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      ...at,
      field: [...path, key].join('.'),
      message: 'there is no such field',
    }));
  const field = path.length === 0 ? null : path.map(String).join('.');
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return [{ ...at, field, message: isMissing ? 'is required' : issue.message }];
}

const refused = (message: string, line: number | null = null): ManifestRefused =>
  new ManifestRefused([{ image: null, field: null, line, message }]);
