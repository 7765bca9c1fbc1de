import type { PhaseFigures, RoundFigures } from './round.ts';

/** What is compared in one line of the table. */
interface Line {
  readonly what: string;
  readonly unit: string;
  of(figures: RoundFigures): number | undefined;
  readonly better: 'more' | 'less';
  /** How many times better is asked for, and how many times is hoped for; none where it is only of interest. */
  readonly reach?: number;
  readonly aim?: number;
}

export interface Verdict {
  readonly what: string;
  readonly unit: string;
  readonly here: number;
  readonly there: number;
  /** How many times better here. */
  readonly times: number;
  readonly reach?: number;
  readonly aim?: number;
  readonly verdict: 'aim' | 'reached' | 'missed' | '';
}

type Asked = readonly [reach?: number | undefined, aim?: number | undefined];

const asked = ([reach, aim]: Asked) => ({
  ...(reach === undefined ? {} : { reach }),
  ...(aim === undefined ? {} : { aim }),
});
const figure =
  (phase: string, name: keyof PhaseFigures, factor = 1) =>
  ({ phases }: RoundFigures): number | undefined => {
    const value = phases.get(phase)?.[name];
    return value === undefined ? undefined : value * factor;
  };
const rate = (phase: string, ...wanted: Asked): Line => ({
  ...{ what: phase, unit: '1/s', better: 'more', ...asked(wanted) },
  of: figure(phase, 'perSecond'),
});
const p50 = (phase: string, ...wanted: Asked): Line => ({
  ...{ what: `${phase}, p50`, unit: 'ms', better: 'less', ...asked(wanted) },
  of: figure(phase, 'p50Ms'),
});
const cpu = (what: string, phase: string, ...wanted: Asked): Line => ({
  ...{ what, unit: 'ms', better: 'less', ...asked(wanted) },
  of: figure(phase, 'cpuMs'),
});
const speed = (phase: string, bytes: number, ...wanted: Asked): Line => ({
  ...{ what: phase, unit: 'MB/s', better: 'more', ...asked(wanted) },
  of: figure(phase, 'perSecond', bytes / 1e6),
});
const listed = (what: string, ...wanted: Asked): Line[] => [
  p50(`${what}, member, alone`, ...wanted),
  p50(`${what}, admin, alone`, ...wanted),
  rate(`${what}, member, 16 at once`, ...wanted),
  rate(`${what}, admin, 16 at once`, ...wanted),
];

const lines = (large: number): readonly Line[] => [
  rate('show, 16 at once', 25, 60),
  ...listed('list of 25', 40, 100),
  ...listed('list of 25, never asked before'),
  ...listed('list by property', 40, 100),
  ...listed('list by property, the same'),
  ...listed('list by property, never asked before'),
  rate('create, 16 at once', 12, 25),
  p50('create alone', 4, 8),
  p50('patch alone', 4, 8),
  cpu('CPU per show', 'show, 16 at once', 25, 60),
  cpu('CPU per list, member', 'list of 25, member, 16 at once', 25, 60),
  cpu('CPU per list, admin', 'list of 25, admin, 16 at once', 25, 60),
  cpu('CPU per create', 'create, 16 at once', 12, 25),
  rate('10 MiB until active, 8 at once', 2, 3),
  speed('large upload until active', large, 1.25, 1.5),
  speed('large download', large, 1, 1.1),
  {
    ...{ what: 'memory of all processes', unit: 'MiB', better: 'less', reach: 1, aim: 2 },
    of: ({ memoryMiB }) => memoryMiB,
  },
];

const rooflineShare = 0.85;

/** Line by line, of those that both sides have; `roofline` in MB/s, of an image of `large` bytes. */
export function verdicts(
  { ours, others }: { readonly ours: RoundFigures; readonly others: RoundFigures },
  { roofline, large }: { readonly roofline: number; readonly large: number },
): readonly Verdict[] {
  return lines(large).flatMap((line): Verdict[] => {
    const [here, there] = [line.of(ours), line.of(others)];
    if (here === undefined || there === undefined) return [];
    const times = line.better === 'more' ? here / there : there / here;
    const { what, unit, reach, aim } = line;
    const verdict = verdictOf(times, reach, aim);
    const one = { what, unit, here, there, times, ...asked([reach, aim]), verdict };
    if (what !== 'large upload until active') return [one];
    const share = here / roofline;
    const beside: Verdict = {
      ...{ what: 'large upload, of the roofline', unit: 'MB/s', here, there: roofline },
      ...{ times: share, reach: rooflineShare, verdict: verdictOf(share, rooflineShare) },
    };
    return [one, beside];
  });
}

function verdictOf(times: number, reach?: number, aim?: number): Verdict['verdict'] {
  if (reach === undefined) return '';
  if (aim !== undefined && times >= aim) return 'aim';
  return times >= reach ? 'reached' : 'missed';
}
