import { type ImportDocument, isOver, nameOf, settledOf } from './documents.ts';

/** Where a view is shown. */
export interface Screen {
  /** Undefined where it is no terminal. */
  readonly columns: number | undefined;
  readonly rows: number;
  write(text: string): void;
}

/** Shows how far an import is, again and again. */
export interface View {
  show(document: ImportDocument, nowMs: number): void;
  /** Leaves the terminal as it is now. */
  end(): void;
}

const barWidth = 24;
const mostItems = 12;
const mostWaiting = 3;
const lineEveryMs = 5_000;
/** The rate is that of the last while: what was long ago says nothing of what is left. */
const rateOverMs = 30_000;

/** Bars that move where there is a terminal, otherwise a line now and then. */
export function progressView(screen: Screen): View {
  const rate = rateOf();
  return screen.columns === undefined ? lines(screen, rate) : bars(screen, rate);
}

type Rate = ReturnType<typeof rateOf>;

function rateOf() {
  let seen: readonly { readonly at: number; readonly settled: number; readonly bytes: number }[] =
    [];
  return (document: ImportDocument, at: number) => {
    const now = { at, settled: settledOf(document), bytes: document.bytes };
    seen = [...seen.filter((one) => at - one.at <= rateOverMs), now];
    const [first = now] = seen;
    const seconds = (at - first.at) / 1_000;
    if (seconds <= 0) return { images: 0, bytes: 0, secondsLeft: undefined };
    const images = Math.max(0, now.settled - first.settled) / seconds;
    const left = document.images - now.settled;
    return {
      images,
      bytes: Math.max(0, now.bytes - first.bytes) / seconds,
      secondsLeft: images > 0 ? left / images : undefined,
    };
  };
}

function summary(document: ImportDocument, rate: ReturnType<Rate>): string {
  const settled = settledOf(document);
  const counts = Object.entries(document.counts)
    .filter(([name, count]) => count > 0 && name !== 'pending')
    .map(([name, count]) => `${name} ${count}`);
  const speed =
    rate.images > 0 ? [`${rate.images.toFixed(1)} images/s`, `${sizeText(rate.bytes)}/s`] : [];
  const left =
    rate.secondsLeft === undefined || isOver(document)
      ? []
      : [`${timeText(rate.secondsLeft)} left`];
  const parts = [`${settled}/${document.images}`, ...counts, ...speed, ...left];
  return `${document.status}  ${parts.join(', ')}`;
}

function lines(screen: Screen, rate: Rate): View {
  let shownAt = Number.NEGATIVE_INFINITY;
  let status = '';
  return {
    show(document, now) {
      const measured = rate(document, now);
      if (document.status === status && now - shownAt < lineEveryMs) return;
      status = document.status;
      shownAt = now;
      const waits = (document.in_work ?? []).filter(({ message }) => message !== null);
      const shown = waits
        .slice(0, mostWaiting)
        .map((item) => `  ${nameOf(item)} waits: ${item.message}`);
      const all = [summary(document, measured), ...shown].map((line) => `${plain(line)}\n`);
      screen.write(all.join(''));
    },
    end() {},
  };
}

function bars(screen: Screen, rate: Rate): View {
  let drawn = 0;
  return {
    show(document, now) {
      const measured = rate(document, now);
      const share = document.images === 0 ? 1 : settledOf(document) / document.images;
      const inWork = document.in_work ?? [];
      const shown = inWork.slice(0, Math.max(0, Math.min(mostItems, screen.rows - 4)));
      const items = shown.map((item) => {
        const total = item.bytes_total ?? 0;
        const done = item.bytes ?? 0;
        const amount = total > 0 ? `${sizeText(done)} of ${sizeText(total)}` : item.status;
        const speed = item.bytes_per_second ? `, ${sizeText(item.bytes_per_second)}/s` : '';
        const why = item.message === null ? '' : `, waits: ${item.message}`;
        return `  ${bar(total > 0 ? done / total : 0)} ${nameOf(item)}  ${amount}${speed}${why}`;
      });
      const more =
        inWork.length > shown.length ? [`  and ${inWork.length - shown.length} more`] : [];
      const percent = `${Math.floor(share * 100)}`.padStart(3);
      const all = [`${bar(share)} ${percent} %  ${summary(document, measured)}`, ...items, ...more];
      const up = drawn > 0 ? `\u001b[${drawn}A` : '';
      const text = all.map((line) => `\u001b[2K${cut(line, screen.columns ?? 80)}\n`).join('');
      screen.write(`${up}\r${text}\u001b[0J`);
      drawn = all.length;
    },
    end() {
      drawn = 0;
    },
  };
}

const bar = (share: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`;
};

/** Names are others' text: nothing in them may move the cursor. */
const plain = (line: string): string => line.replace(/\p{Cc}/gu, '?');
const cut = (line: string, columns: number): string =>
  [...plain(line)].slice(0, Math.max(1, columns - 1)).join('');

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}
