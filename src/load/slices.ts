/**
 * How sorted runs are cut into slices that fit into memory one by one: at keys that some block begins with,
 * so many bytes of blocks apart. A slice may have to read a block more of each run than it has rows of.
 */
import type { Schema } from '../schema/schema.ts';
import { isBelow } from '../view/bounds.ts';
import { REPLACING, type RunSlice, type SliceRules } from '../view/run-slice.ts';
import { Segment } from '../view/segment.ts';
import {
  boundOf,
  isSpilled,
  type PlainKey,
  plainKeyOf,
  type RunPart,
  type SpilledBlocks,
  type SpilledRun,
} from '../view/spilled-run.ts';

/** A run as what plans slices knows it. */
export type LoadPart = Exclude<RunPart, SpilledBlocks> | SpilledRun;

/** Where rows that take some bytes begin. */
export interface Weight {
  readonly key: PlainKey;
  readonly bytes: number;
}

/** Whether one key comes before the other. */
export function comesBefore(a: PlainKey, b: PlainKey): boolean {
  if (a.hi !== b.hi) return a.hi < b.hi;
  if (a.lo !== b.lo) return a.lo < b.lo;
  return a.bytes !== null && b.bytes !== null && isBelow(boundOf(a), boundOf(b));
}

/** By their keys. */
export function order(a: Weight, b: Weight): number {
  if (comesBefore(a.key, b.key)) return -1;
  return comesBefore(b.key, a.key) ? 1 : 0;
}

export function weightsOf(schema: Schema, part: LoadPart, blockBytes: number): Weight[] {
  if (isSpilled(part)) {
    return part.firsts.map((key, i) => ({ key, bytes: part.blocks[i].bodyBytes }));
  }
  const segment = new Segment(part, schema.key);
  const { bodyBytes } = part.layout;
  const rowBytes = bodyBytes / segment.rows;
  const step = Math.max(1, Math.floor(blockBytes / rowBytes));
  const weights: Weight[] = [];
  for (let row = 0; row < segment.rows; row += step) {
    const bytes = rowBytes * Math.min(step, segment.rows - row);
    weights.push({ key: plainKeyOf(segment, row), bytes });
  }
  return weights;
}

/** Keys from one on, up to the one before another; null: all. */
export type KeyRange = Pick<RunSlice, 'from' | 'to'>;

export const ALL_KEYS: KeyRange = { from: null, to: null };

/**
 * In key order: together all rows of the runs that are in a range.
 * @param runs of each the parts in key order; they keep their order
 * @param sliceBytes what a slice may take, about
 * @param blockBytes what the blocks of the runs take, about
 */
export function planSlices(
  schema: Schema,
  runs: readonly (readonly LoadPart[])[],
  sliceBytes: number,
  blockBytes: number,
  rules: SliceRules = REPLACING,
  { from: first, to: end } = ALL_KEYS,
): RunSlice[] {
  const weights = runs.flat().flatMap((part) => weightsOf(schema, part, blockBytes));
  weights.sort(order);
  const most = Math.max(sliceBytes / 2, sliceBytes - runs.length * blockBytes);
  const slices: RunSlice[] = [];
  const add = (start: PlainKey | null, to: PlainKey | null, own: number): void => {
    slices.push({ ...sliceOf(schema, runs, start, to), bytes: own, ...rules, replaced: [] });
  };
  let from = first;
  let bytes = 0;
  for (const { key, bytes: own } of weights) {
    if (first !== null && comesBefore(key, first)) continue;
    if (end !== null && !comesBefore(key, end)) break;
    if (bytes + own > most && bytes > 0 && (from === null || comesBefore(from, key))) {
      add(from, key, bytes);
      from = key;
      bytes = 0;
    }
    bytes += own;
  }
  // Also where no block begins in the range: the one before may reach into it.
  add(from, end, bytes);
  return slices;
}

function sliceOf(
  schema: Schema,
  runs: readonly (readonly LoadPart[])[],
  from: PlainKey | null,
  to: PlainKey | null,
): Pick<RunSlice, 'runs' | 'from' | 'to'> {
  const own = runs.map((parts) => parts.flatMap((part) => within(schema, part, from, to)));
  return { runs: own.filter((parts) => parts.length > 0), from, to };
}

/** What of a part can have keys of a range. */
function within(
  schema: Schema,
  part: LoadPart,
  from: PlainKey | null,
  to: PlainKey | null,
): RunPart[] {
  if (!isSpilled(part)) {
    const segment = new Segment(part, schema.key);
    const isBehind = to !== null && !comesBefore(plainKeyOf(segment, 0), to);
    const isAhead = from !== null && comesBefore(plainKeyOf(segment, segment.rows - 1), from);
    return isBehind || isAhead ? [] : [part];
  }
  const { path, blocks, firsts, last } = part;
  if (from !== null && comesBefore(last, from)) return [];
  // Of the blocks that begin before the range, the last one may reach into it.
  const start = from === null ? 0 : Math.max(0, countBelow(firsts, from, true) - 1);
  const end = to === null ? blocks.length : countBelow(firsts, to, false);
  return start < end ? [{ path, blocks: blocks.slice(start, end) }] : [];
}

/** How many of the ascending keys come before one, or with `orEqual` not behind it. */
function countBelow(keys: readonly PlainKey[], key: PlainKey, orEqual: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const isIn = orEqual ? !comesBefore(key, keys[middle]) : comesBefore(keys[middle], key);
    if (isIn) low = middle + 1;
    else high = middle;
  }
  return low;
}
