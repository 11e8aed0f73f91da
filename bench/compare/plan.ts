/** What a run will take, roughly, before it begins: for the time that is left, and for nothing else. */
import type { EngineName } from './engine.ts';
import { METRICS, metricsOf } from './metrics.ts';
import type { Settings } from './run.ts';

/** Seconds, of an engine that is neither quick nor slow. */
const STEP_SECONDS = 0.7;
const LOADED_A_SECOND = 6e5;
const READ_A_SECOND = 3e6;
/** Budgets end what is slow. */
const SECONDS_MAX = 60;

const FACTOR: Readonly<Partial<Record<EngineName, number>>> = { leveldb: 3, lmdb: 1.5, map: 0.5 };

export function weightOf(metric: string, engine: EngineName, rows: number): number {
  const factor = FACTOR[engine] ?? 1;
  if (metric.startsWith('load')) return factor * (1 + rows / LOADED_A_SECOND);
  if (['compact', 'memory', 'verify', 'entries'].includes(metric)) {
    return factor * (0.1 + rows / READ_A_SECOND);
  }
  return STEP_SECONDS * factor;
}

/** The weights of all steps. */
export function stepsOf({
  rows,
  rounds,
  kinds,
  only,
  contestants,
}: Pick<Settings, 'rows' | 'rounds' | 'kinds' | 'only' | 'contestants'>): number {
  let seconds = 0;
  for (const kind of kinds) {
    for (const metric of metricsOf(kind, only)) {
      const isOnce = METRICS[metric].group === 'size';
      for (const { name } of contestants) {
        const once = weightOf(metric, name, rows);
        seconds += isOnce ? once : Math.min(SECONDS_MAX, rounds * once);
      }
    }
  }
  return seconds;
}
