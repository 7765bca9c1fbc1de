import type { Verdict } from './reach.ts';
import { short } from './table.ts';

const rowHeight = 24;
const labelWidth = 300;
const barWidth = 430;
const textWidth = 170;
const top = 64;
const ticks = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

const style = `
  text { font: 12px sans-serif; fill: #24292f }
  .title { font-size: 15px }
  .grid { stroke: #8c959f; stroke-width: .5 }
  .bar { fill: #2f81f7 }
  .missed { fill: #bc6c25 }
  .reach { stroke: #24292f; stroke-width: 2.5 }
  .aim { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .reach, .aim { stroke: #e6edf3 }
  }`;

/** A bar for each line that has something to reach, how many times better it is: SVG for light and dark pages alike. */
export function chart(all: readonly Verdict[]): string {
  const bars = all.filter(({ reach }) => reach !== undefined);
  const values = bars.flatMap(({ times, reach, aim }) => [times, reach ?? 1, aim ?? 1]);
  const most = Math.max(2, ...values.filter(Number.isFinite)) * 1.1;
  const least = Math.min(0.5, ...values.filter((value) => value > 0)) * 0.9;
  const xOf = (times: number): number =>
    labelWidth + (Math.log(Math.max(times, least) / least) / Math.log(most / least)) * barWidth;
  const height = top + bars.length * rowHeight + 12;
  const line = (kind: string, times: number, from: number, to: number): string =>
    `<line class="${kind}" x1="${xOf(times).toFixed(1)}" x2="${xOf(times).toFixed(1)}" y1="${from}" y2="${to}"/>`;
  const text = (x: number, y: number, content: string, more = ''): string =>
    `<text x="${x.toFixed(1)}" y="${y}"${more}>${content}</text>`;
  const axis = ticks
    .filter((tick) => tick >= least && tick <= most)
    .flatMap((tick) => [
      line('grid', tick, top - 6, height - 8),
      text(xOf(tick), top - 11, `${tick}`, ' text-anchor="middle"'),
    ]);
  const rows = bars.flatMap(({ what, times, reach, aim, verdict }, row) => {
    const y = top + row * rowHeight;
    const [from, to] = [Math.min(xOf(1), xOf(times)), Math.max(xOf(1), xOf(times))];
    const kind = verdict === 'missed' ? 'bar missed' : 'bar';
    const words = verdict === 'aim' ? 'aim reached' : verdict;
    return [
      text(labelWidth - 10, y + 14, what, ' text-anchor="end"'),
      `<rect class="${kind}" x="${from.toFixed(1)}" y="${y + 3}" width="${Math.max(1, to - from).toFixed(1)}" height="14"/>`,
      ...(reach === undefined ? [] : [line('reach', reach, y, y + 20)]),
      ...(aim === undefined ? [] : [line('aim', aim, y, y + 20)]),
      text(labelWidth + barWidth + 12, y + 14, `${short(times)} x, ${words}`),
    ];
  });
  const width = labelWidth + barWidth + textWidth;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">`,
    '<title>How many times better</title>',
    `<style>${style}\n</style>`,
    text(
      10,
      20,
      'How many times better than the other Image API on the same machine',
      ' class="title"',
    ),
    text(10, 38, 'Logarithmic; a line is what is to be reached, a dashed one what is aimed at'),
    ...axis,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}
