/** Gives a text that was loaded from the URL lately, else what `load` gives. */
export type KeptTexts = (
  url: string,
  load: () => Promise<string>,
  signal: AbortSignal,
) => Promise<string>;

/** A vendor's file of checksums has some KiB, and is that of all images that lie beside it. */
const mostKept = 16;

/**
 * Keeps texts for a moment, so that many downloads at once ask for the same one only once. Nobody fails by another's
 * failure: whoever waited loads for itself then.
 */
export function keptTexts(keepMs: number, now: () => number = () => performance.now()): KeptTexts {
  const kept = new Map<string, { readonly text: Promise<string>; endsAt: number }>();

  return async (url, load, signal) => {
    for (let found = kept.get(url); found !== undefined; found = kept.get(url)) {
      const text = await settled(found.text, signal);
      if (text !== undefined && now() < found.endsAt) return text;
      if (kept.get(url) === found) kept.delete(url);
    }
    const entry = { text: load(), endsAt: Number.POSITIVE_INFINITY };
    const [oldest] = kept.keys();
    if (oldest !== undefined && kept.size >= mostKept) kept.delete(oldest);
    kept.set(url, entry);
    const text = await entry.text;
    entry.endsAt = now() + keepMs;
    return text;
  };
}

/** Undefined where it fails. Rejects with the signal's reason. */
async function settled(text: Promise<string>, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([text.catch(() => undefined), aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Where nothing is kept. */
export const nothingKept: KeptTexts = (_, load) => load();
