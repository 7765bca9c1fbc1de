const pattern =
  /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)([Zz]|[+-]\d\d:?\d\d)?)?$/;

/**
 * ISO 8601 to the millisecond, UTC where it names no zone; undefined for anything else. What is finer than a millisecond
 * is cut off: history is no finer.
 */
export function isoInstant(text: string): Date | undefined {
  const [, day, clock = '00:00', zone = 'Z'] = pattern.exec(text) ?? [];
  if (day === undefined) return undefined;
  const [minutes = clock, fraction = ''] = clock.replace(',', '.').split('.');
  const seconds = minutes.length === 5 ? `${minutes}:00` : minutes;
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0');
  const offset = /^[zZ]$/.test(zone) ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const time = new Date(`${day}T${seconds}.${milliseconds}${offset}`);
  const isDay = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) === true;
  return Number.isNaN(time.getTime()) || !isDay ? undefined : time;
}
