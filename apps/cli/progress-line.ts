import type { BackupProgress } from '../../infra/backup/progress.ts';

/** On a terminal one line that is written over, elsewhere a line every few seconds. */
export function progressLine(what: string): (progress: BackupProgress) => void {
  const everyMs = process.stderr.isTTY ? 100 : 5_000;
  const began = performance.now();
  let shown = began;
  return (progress) => {
    const now = performance.now();
    if (now - shown < everyMs) return;
    shown = now;
    const line = `${what}: ${textOf(progress, (now - began) / 1_000)}`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  };
}

const textOf = (progress: BackupProgress, seconds: number): string =>
  progress.what === 'events'
    ? `${progress.done} events, ${Math.round(progress.done / seconds)}/s, position ${progress.position} of ${progress.upTo}`
    : `${progress.done} of ${progress.of} objects`;

/** Aborts at the first Ctrl-C, with what is left behind; a second one ends the process as usual. */
export function interruption(message: string): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(message)));
  return stop.signal;
}
