export interface Bar {
  readonly phase: string;
  readonly rate: number;
  readonly cpu: number | undefined;
}

const rowHeight = 34;
const labelWidth = 230;
const barWidth = 470;
const top = 34;

/** Two bars for each phase, by a logarithmic measure: a table of ratios as SVG, for light and dark pages alike. */
export function chart(bars: readonly Bar[]): string {
  const all = bars.flatMap(({ rate, cpu }) => [rate, cpu ?? 1]).filter(Number.isFinite);
  const most = Math.max(2, ...all);
  const widthOf = (times: number): number =>
    Math.max(1, (Math.log(Math.max(times, 1)) / Math.log(most)) * barWidth);
  const bar = (times: number, y: number, fill: string, what: string): string =>
    `<rect x="${labelWidth}" y="${y}" width="${widthOf(times).toFixed(1)}" height="12" fill="${fill}"/>` +
    `<text x="${(labelWidth + widthOf(times) + 6).toFixed(1)}" y="${y + 10}">${times.toFixed(1)} x ${what}</text>`;
  const rows = bars.map(({ phase, rate, cpu }, row) => {
    const y = top + row * rowHeight;
    return [
      `<text x="${labelWidth - 10}" y="${y + 17}" text-anchor="end">${phase}</text>`,
      bar(rate, y, '#2b6cb0', 'as many'),
      ...(cpu === undefined ? [] : [bar(cpu, y + 14, '#9ae6b4', 'less CPU')]),
    ].join('\n');
  });
  const height = top + bars.length * rowHeight + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 ${height}" font-family="sans-serif" font-size="12" fill="#718096">`,
    '<text x="10" y="18" font-size="14">Against another Image API on the same machine, logarithmic</text>',
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}
