import pg from 'pg';
import type { Metadata } from '../../domain/event-log.ts';
import type { Tree } from './tree.ts';

export interface Fact {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Metadata;
}

/** What the log holds of one image, oldest first, with SQL of its own. */
export async function factsOf(tree: Tree, imageId: string): Promise<readonly Fact[]> {
  const client = new pg.Client({ connectionString: tree.now().postgresUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Fact>(
      'select type, data, metadata from events where stream_id = $1 order by revision',
      [`image-${imageId}`],
    );
    return rows;
  } finally {
    await client.end();
  }
}

export const happened = async (tree: Tree, imageId: string, type: string): Promise<boolean> =>
  (await factsOf(tree, imageId)).some((fact) => fact.type === type);
