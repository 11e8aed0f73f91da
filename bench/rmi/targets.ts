/** What each figure is meant to be, where it is meant to be something at the size measured. */
import type { Hits } from '../engine/hits.ts';
import type { Figures, Languages } from './languages.ts';
import type { SetResult } from './measure-set.ts';

export const BYTES_A_KEY_MAX = 2;
export const TRAINED_KEYS_PER_SECOND_MIN = 30e6;
/** Ours over plain binary search. */
export const OF_BINARY_MAX = 1.1;
/** Ours over native code. */
export const OF_NATIVE_SINGLE_MAX = 2;
export const OF_NATIVE_BATCH_MAX = 1.5;
/** Times ours that another engine takes. */
const LMDB_MIN = 8.39;
const LMDB_SETS = ['uniform', 'sequential', 'timestamps'];
const LMDB_ROWS = 5e7;
const OTHERS_MIN = 5;
const OTHERS_ROWS = 1e7;
/** Sets that repeat themselves have somewhat fewer keys than were asked for. */
const NEARLY = 0.7;

export function timesLmdbMin({ name, form, count }: SetResult): number | null {
  if (form === 'bytes' || count < NEARLY * OTHERS_ROWS) return null;
  return LMDB_SETS.includes(name) && count >= LMDB_ROWS ? LMDB_MIN : OTHERS_MIN;
}

export function timesTreeMin({ count }: SetResult): number | null {
  return count < NEARLY * OTHERS_ROWS ? null : OTHERS_MIN;
}

/** The quicker of LMDB's two, or undefined where it took no part. */
export function lmdbNs({ ns }: Hits): number | undefined {
  const found = Object.entries(ns).filter(([name]) => name.startsWith('lmdb'));
  return found.length === 0 ? undefined : Math.min(...found.map(([, one]) => one));
}

/** The quicker of the native indexes, or undefined where there are none. */
export function nativeNs({ native }: Languages, way: keyof Figures): number | undefined {
  const all = native ? [native.cells[way], native.lines[way]] : [];
  const measured = all.filter((ns) => ns !== undefined);
  return measured.length === 0 ? undefined : Math.min(...measured);
}
