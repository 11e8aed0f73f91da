/** A verdict on every promise of a soak, from what it has seen. */
import { CLASSES } from './board.ts';
import { percentileUs } from './histogram.ts';
import { PHASES, QUIET } from './phases.ts';
import { type Sampled, SERIES, SERIES_NAMES, type SeriesName, type Soaked } from './record.ts';
import { medianOf, type Point, type Slope, theilSen } from './slope.ts';

export interface Verdict {
  readonly promise: string;
  /** null: the soak was too short, or its figures too uneven, to show it. */
  readonly holds: boolean | null;
  readonly figure: string;
  readonly bound: string;
}

/** How much a series may grow an hour, of its median. */
export const GROWTH_MAX = 0.01;
const LEVEL = 0.99;
/** Of the soak, and in every process, while memory fills. */
const WARM_UP = 0.1;
const WARM_UP_MS_MAX = 300_000;
export const SAMPLES_MIN = 500;
const QUIET_CYCLES = 30;
const LONG_HOURS = 1;
const GROWTH_SHOWN = 0.15;
export const DRIFT_MAX = 1.5;
const THROUGHPUT_LEAST = 0.9;
const SHARE_LEAST = 0.5;
/** Fewer operations in a quarter say nothing of one in a thousand. */
const QUARTER_LEAST = 20_000;
/** Nor do quarters of a shorter soak, in which no phase comes twice. */
const DRIFT_MS_LEAST = 600_000;

const HOUR_MS = 3_600_000;
const digits = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const whole = { format: (value: number) => (Number.isFinite(value) ? digits.format(value) : '?') };

/**
 * One point for each phase of each cycle, the median of its samples: those of one phase depend on each
 * other. Phases, and processes, are not compared with one another. Where there were enough cycles, it is
 * the quiet ends of cycles alone that are: then as much is held as a cycle ago, and garbage is collected.
 */
export function pointsOf(samples: readonly Sampled[], name: SeriesName): Point[] {
  const known = samples.filter(({ disturbed, values }) => !disturbed && values[name] >= 0);
  const isBusy = name === 'loop';
  const quiet = new Set(known.filter(({ phase }) => phase === QUIET).map(({ cycle }) => cycle));
  const calm =
    isBusy || quiet.size >= QUIET_CYCLES
      ? known.filter(({ phase }) => (phase === QUIET) !== isBusy)
      : known;
  const visits = Map.groupBy(calm, ({ life, cycle, phase }) => `${life}/${phase}/${cycle}`);
  // The supervisor lives on when the process under it is killed.
  const isJudge = name === 'judgeRss' || name === 'judgeHeap';
  return [...visits.values()].map((visit) => {
    const { life, phase } = visit[0];
    return {
      at: medianOf(visit.map(({ atMs }) => atMs)) / HOUR_MS,
      value: medianOf(visit.map(({ values }) => values[name])),
      stratum: isJudge ? phase : `${life}/${phase}`,
    };
  });
}

export interface Trend {
  readonly name: SeriesName;
  readonly median: number;
  readonly slope: Slope | null;
  /** Units an hour that are allowed. */
  readonly allowed: number;
  readonly samples: number;
  /** From the first sample to the last. */
  readonly hours: number;
}

function warmOf(samples: readonly Sampled[], durationMs: number): Sampled[] {
  const begun = new Map<number, number>();
  for (const { life, atMs } of samples) if (!begun.has(life)) begun.set(life, atMs);
  const warmUpMs = Math.min(WARM_UP_MS_MAX, WARM_UP * durationMs);
  return samples.filter(({ life, atMs }) => {
    return atMs >= WARM_UP * durationMs && atMs >= (begun.get(life) ?? 0) + warmUpMs;
  });
}

export function trendsOf(samples: readonly Sampled[], durationMs: number): Trend[] {
  const warm = warmOf(samples, durationMs);
  // One in a hundred of all series together (Bonferroni).
  const level = 1 - (1 - LEVEL) / SERIES_NAMES.length;
  return SERIES_NAMES.map((name) => {
    const points = pointsOf(warm, name);
    const median = medianOf(points.map(({ value }) => value));
    const allowed = Math.max(GROWTH_MAX * median, SERIES[name].least);
    const slope = theilSen(points, level);
    const hours = points.length === 0 ? 0 : points[points.length - 1].at - points[0].at;
    return { name, median, slope, allowed, samples: warm.length, hours };
  });
}

/**
 * Whether it stays within its bound: null where neither is shown. In a short soak memory is still
 * filling: there only what adds up to a good part of it is growth.
 */
export function verdictOfTrend({ slope, allowed, samples, median, hours }: Trend): boolean | null {
  if (slope === null || samples < SAMPLES_MIN) return null;
  if (slope.upper < allowed) return true;
  const isMuch = hours >= LONG_HOURS || slope.lower * hours > GROWTH_SHOWN * median;
  return slope.lower > allowed && isMuch ? false : null;
}

export function show(value: number, unit: string): string {
  if (!Number.isFinite(value)) return 'unknown';
  if (unit === 'bytes') return `${(value / 2 ** 20).toFixed(2)} MiB`;
  return unit === 'ms' ? `${value.toFixed(3)} ms` : value.toFixed(2);
}

function trendVerdicts({ state }: Soaked, samples: readonly Sampled[]): Verdict[] {
  return trendsOf(samples, state.options.durationMs).map((trend) => {
    const { title, unit } = SERIES[trend.name];
    const { slope, median, allowed } = trend;
    const perHour = (value: number) => `${show(value, unit)}/h`;
    const growth =
      slope === null || trend.samples < SAMPLES_MIN
        ? 'too few samples'
        : `${perHour(slope.median)}, at most ${perHour(slope.upper)}, of ${show(median, unit)}`;
    return {
      promise: `no growth: ${title}`,
      holds: verdictOfTrend(trend),
      figure: `${growth} (${whole.format(trend.samples)} samples)`,
      bound: `99 % upper bound under ${perHour(allowed)}`,
    };
  });
}

/** Of the quarters in which there was enough: the last against the first. */
function latencyVerdicts({ state }: Soaked): Verdict[] {
  return CLASSES.filter((name) => name !== 'long').map((name) => {
    const of = (quarter: number) => state.quarters[quarter][CLASSES.indexOf(name)];
    const total = (quarter: number) => of(quarter).reduce((a, b) => a + b, 0);
    const [first, last] = [0, 3].map((quarter) => percentileUs(of(quarter), 0.999) / 1000);
    const isLong = state.options.durationMs >= DRIFT_MS_LEAST;
    const isEnough = isLong && Math.min(total(0), total(3)) >= QUARTER_LEAST;
    const ratio = last / first;
    return {
      promise: `p99.9 of ${name}s does not drift`,
      holds: isEnough ? ratio <= DRIFT_MAX : null,
      figure: `${show(first, 'ms')} in the first quarter, ${show(last, 'ms')} in the last${isEnough ? `: ${ratio.toFixed(2)} times` : ''}`,
      bound: `${DRIFT_MAX} times, faults excluded`,
    };
  });
}

function throughputVerdicts({ state }: Soaked, samples: readonly Sampled[]): Verdict[] {
  const { durationMs } = state.options;
  const calm = samples.filter(({ disturbed, cycle }) => !disturbed && cycle >= state.freeCycles);
  const of = (name: string, from: number, to: number) => {
    const found = calm.filter(
      ({ phase, atMs }) => phase === name && atMs >= from * durationMs && atMs < to * durationMs,
    );
    return medianOf(found.map(({ operationsPerSecond }) => operationsPerSecond));
  };
  // Phases have rates of their own: each is compared with itself.
  const first = PHASES.map(({ name }) => of(name, 0, 0.25));
  const last = PHASES.map(({ name }) => of(name, 0.75, Number.POSITIVE_INFINITY));
  const all = PHASES.map(({ name }) => of(name, 0, Number.POSITIVE_INFINITY));
  const ratioOf = (one: readonly number[], other: readonly number[]) =>
    medianOf(one.map((value, i) => value / other[i]));
  const drift = ratioOf(last, first);
  const share = ratioOf(all, state.free);
  const list = (values: readonly number[]) => values.map((value) => whole.format(value)).join(', ');
  const names = PHASES.map(({ name }) => name).join(', ');
  const isKnown = durationMs >= DRIFT_MS_LEAST;
  return [
    {
      promise: 'throughput does not drift',
      holds: isKnown && Number.isFinite(drift) ? drift >= THROUGHPUT_LEAST : null,
      figure: `${list(first)} operations/s in the first quarter (${names}), ${list(last)} in the last`,
      bound: `at least ${THROUGHPUT_LEAST} times`,
    },
    {
      promise: 'it works at half of what it can, or more',
      holds: isKnown && Number.isFinite(share) ? share >= SHARE_LEAST : null,
      figure: `${list(all)} operations/s, ${list(state.free)} as fast as it can`,
      bound: `at least ${SHARE_LEAST} times`,
    },
  ];
}

export function verdictsOf(soaked: Soaked): Verdict[] {
  const samples = soaked.samples();
  const { broken, faults, state } = soaked;
  const { operations, checked } = state.totals;
  return [
    {
      promise: 'no row is lost, wrong or back again, no batch is there by half',
      holds: broken.length === 0,
      figure: `${broken.length} broken promises; ${whole.format(operations)} operations, ${whole.format(checked)} keys compared in rounds`,
      bound: 'none',
    },
    {
      promise: 'every fault passes as it should',
      holds: broken.length === 0 ? true : null,
      figure: `${faults.length} faults, ${state.totals.restarts} processes`,
      bound: 'every one',
    },
    ...trendVerdicts(soaked, samples),
    ...latencyVerdicts(soaked),
    ...throughputVerdicts(soaked, samples),
  ];
}

/** A soak so long has to show everything: what it does not is a failure. */
export const SHOWS_ALL_MS = 2 * HOUR_MS;

export function passes(verdicts: readonly Verdict[], durationMs: number): boolean {
  return verdicts.every(({ holds }) => holds ?? durationMs < SHOWS_ALL_MS);
}
