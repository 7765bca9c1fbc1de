import pg from 'pg';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { absent, type Image, ownKeys, type Upload } from '../../domain/image/state.ts';

/** How one upload went, by the log's own clock. */
interface Course {
  readonly started: number;
  staged?: number;
  claims: number;
  ended?: number;
}

interface Row {
  readonly position: string;
  readonly stream_id: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: object;
  readonly recorded_at: Date;
}

/** What fills the image now. */
const fillingOf = (state: Image): Upload | undefined =>
  state.status === 'saving' || state.status === 'uploading' || state.status === 'importing'
    ? state.upload
    : undefined;

const endings = ['ImageActivated', 'UploadAborted', 'IngestFailed', 'ImageDeleted'];

/** Follows the log with SQL of its own and the domain's `evolve`: what it says needs no projection and no API. */
export function logWatch(postgresUrl: string) {
  const images = new Map<string, Image>();
  const revisions = new Map<string, number>();
  const ids = new Set<string>();
  const courses = new Map<string, Course>();
  const problems: string[] = [];
  let position = 0n;
  let shownUpTo = 0n;

  const take = (row: Row): void => {
    const expected = (revisions.get(row.stream_id) ?? -1) + 1;
    if (row.revision !== expected)
      problems.push(`${row.stream_id}: revision ${row.revision} where ${expected} was due`);
    if (BigInt(row.position) !== position + 1n)
      problems.push(`position ${row.position} comes after ${position}`);
    if (ids.has(row.id)) problems.push(`event ${row.id} is in the log twice`);
    revisions.set(row.stream_id, row.revision);
    ids.add(row.id);
    position = BigInt(row.position);
    if (row.stream_id.startsWith('image-'))
      takeImage(row.stream_id.slice('image-'.length), row as unknown as ImageEvent & Row);
  };

  const takeImage = (imageId: string, event: ImageEvent & Row): void => {
    const before = images.get(imageId) ?? absent;
    const after = image.evolve(before, event);
    images.set(imageId, after);
    const at = event.recorded_at.getTime();
    if (event.type === 'UploadStarted') {
      if (before.status !== 'queued')
        problems.push(`image ${imageId}: an upload starts while ${before.status}`);
      courses.set(event.data.uploadId, { started: at, claims: 0 });
    }
    const open = courses.get(fillingOf(before)?.uploadId ?? '');
    // What was staged rests until its import is asked for.
    const begins = before.status === 'saving' ? 'UploadStaged' : 'ImportRequested';
    if (event.type === begins && open) open.staged = at;
    if (event.type === 'IngestClaimed' && open) open.claims += 1;
    if (!endings.includes(event.type)) return;
    if (open && fillingOf(after) === undefined) open.ended = at;
    else if (event.type !== 'ImageDeleted')
      problems.push(`image ${imageId}: ${event.type} while ${before.status}`);
  };

  const isUnfinished = (state: Image): boolean => {
    const filling = fillingOf(state);
    return filling !== undefined && !(state.status === 'uploading' && filling.stagedSize !== null);
  };

  return {
    problems,
    /** Takes in what is new. */
    async read(): Promise<void> {
      const client = new pg.Client({ connectionString: postgresUrl });
      client.on('error', () => undefined);
      await client.connect();
      try {
        const { rows } = await client.query<Row>(
          `select position, stream_id, revision, id, type, data, recorded_at
           from events
           where position > $1
           order by position`,
          [String(position)],
        );
        for (const row of rows) take(row);
        const live = await client.query<{ position: string }>(
          `select position from read_model.generation where model = 'images' and state = 'live'`,
        );
        shownUpTo = BigInt(live.rows[0]?.position ?? 0);
      } finally {
        await client.end();
      }
    },
    state: (imageId: string): Image => images.get(imageId) ?? absent,
    images: images as ReadonlyMap<string, Image>,
    /** Whether the read model has taken in all of it. */
    isShown: (): boolean => shownUpTo >= position,
    /** Ids of images with an upload that has not ended, and does not rest either. */
    unfinished: (): string[] =>
      [...images].filter(([, state]) => isUnfinished(state)).map(([imageId]) => imageId),
    /** Keys of all bytes that an image names. */
    namedKeys: (): string[] => [...images.values()].flatMap(ownKeys),
    /** `{imageId}/{uploadId}` of uploads that may still be staged. */
    openUploads: (): string[] =>
      [...images].flatMap(([imageId, state]) => {
        const filling = fillingOf(state);
        return filling === undefined ? [] : [`${imageId}/${filling.uploadId}`];
      }),
    /**
     * Longest that an upload went on after `since` without a client to wait for, in ms to its end: from then, or from its
     * last byte when that came later.
     */
    longestUnended(since: number): number {
      const waits = [...courses.values()].flatMap(({ started, staged, ended = Date.now() }) =>
        ended > since && (staged !== undefined || started < since)
          ? [ended - Math.max(since, staged ?? since)]
          : [],
      );
      return Math.max(0, ...waits);
    },
    /** Claims beyond the first, over all uploads. */
    takeOvers: (): number =>
      [...courses.values()].reduce((sum, { claims }) => sum + Math.max(0, claims - 1), 0),
    events: (): number => Number(position),
  };
}

export type LogWatch = ReturnType<typeof logWatch>;
