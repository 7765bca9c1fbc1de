import type { Poster } from '../../webhooks/post.ts';
import type { CheckpointTarget } from './target.ts';

/** Somebody who keeps what is posted: the note itself, which is signed, and nothing around it. */
export const webhookTarget = (url: string, poster: Poster): CheckpointTarget => ({
  name: withoutSecrets(url),
  async send({ note }) {
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
    const { status, error } = await poster.post(url, { headers, body: note });
    if (status !== null && status >= 200 && status < 300) return;
    throw new Error(error ?? `status ${status}`);
  },
  close: () => poster.close(),
});

/** The path of such a URL may be all that keeps others from posting there. */
const withoutSecrets = (url: string): string => new URL(url).origin;
