/**
 * The ordered merge of the keys of several runs, block by block. Hot: nothing is allocated a row.
 * Of equal keys the newest source's row is taken and the others are passed over. While one source's
 * keys come before the next of all others, a row costs one comparison.
 */
import type { Selection } from './column-writer.ts';
import { mergeByTree } from './merge-tree.ts';
import type { Segment } from './segment.ts';

/** The part of a run that is merged: from a row of its first segment up to one of its last. */
export interface Trim {
  readonly start: number;
  readonly end: number;
}

export class MergeSource {
  readonly segments: readonly Segment[];
  /** Number of the first of `segments` among those of all sources. */
  readonly base: number;
  readonly isNumeric: boolean;
  /** Where it stands, and where the rows of this segment end that are its own. */
  segment: Segment;
  index = 0;
  row: number;
  end: number;
  done = false;
  readonly #lastEnd: number;

  private constructor(segments: readonly Segment[], base: number, trim: Trim | undefined) {
    const last = segments.length - 1;
    this.segments = segments;
    this.base = base;
    this.segment = segments[0];
    this.isNumeric = segments.every((segment) => segment.form === 'f64');
    this.row = trim?.start ?? 0;
    this.#lastEnd = trim?.end ?? segments[last].rows;
    this.end = last === 0 ? this.#lastEnd : segments[0].rows;
  }

  /**
   * One source a run, newest first.
   * @param trims of each run which rows of its first and of its last segment are left out; default: none
   */
  static over(runs: readonly (readonly Segment[])[], trims: readonly Trim[] = []): MergeSource[] {
    let base = 0;
    return runs.map((segments, i) => {
      const source = new MergeSource(segments, base, trims[i]);
      base += segments.length;
      return source;
    });
  }

  get hi(): number {
    return this.segment.hi(this.row);
  }

  get lo(): number {
    return this.segment.lo(this.row);
  }

  /** Negative, zero or positive, as its key comes before that of another source. */
  compare(other: MergeSource): number {
    return this.segment.compareRows(this.row, other.segment, other.row);
  }

  get number(): number {
    return this.segment.keysF64[this.row];
  }

  step(): void {
    if (++this.row < this.end) return;
    this.row = 0;
    this.index++;
    const { segments, index } = this;
    if (index === segments.length) {
      this.done = true;
      return;
    }
    this.segment = segments[index];
    this.end = index === segments.length - 1 ? this.#lastEnd : this.segment.rows;
  }
}

/** From so many sources on a tree finds the next sooner than looking at all of them. */
const TREE_FROM = 6;

/** Writes the next merged rows into `chosen` and returns how many: at most `max`, 0 at the end. */
export function mergeBlock(
  sources: readonly MergeSource[],
  chosen: Selection,
  max: number,
): number {
  const live = sources.filter((source) => !source.done);
  if (live.length >= TREE_FROM) return mergeByTree(live, chosen, max);
  const isNumeric = sources.every((source) => source.isNumeric);
  let count = 0;
  while (count < max && live.length > 0) {
    count = isNumeric
      ? mergeNumbers(live, chosen, count, max)
      : mergeWords(live, chosen, count, max);
    for (let i = live.length - 1; i >= 0; i--) if (live[i].done) live.splice(i, 1);
  }
  return count;
}

/** One stretch of the source with the smallest key: up to the smallest key of the others. */
function mergeNumbers(
  live: readonly MergeSource[],
  chosen: Selection,
  start: number,
  max: number,
): number {
  let best = live[0];
  let bestKey = best.number;
  let limit = Number.POSITIVE_INFINITY;
  let isLimited = false;
  for (let i = 1; i < live.length; i++) {
    const source = live[i];
    let key = source.number;
    if (key === bestKey) {
      source.step();
      if (source.done) continue;
      key = source.number;
    } else if (key < bestKey) {
      [best, bestKey, key] = [source, key, bestKey];
    }
    if (!isLimited || key < limit) limit = key;
    isLimited = true;
  }
  const keys = best.segment.keysF64;
  const number = best.base + best.index;
  let { row } = best;
  let count = start;
  // A stretch ends with its segment, so that the loop need not look.
  const end = Math.min(best.end, row + max - start);
  do {
    chosen.source[count] = number;
    chosen.row[count] = row;
    count++;
    row++;
  } while (row < end && (!isLimited || keys[row] < limit));
  best.row = row - 1;
  best.step();
  return count;
}

/** Whether a source's key comes before that of another, whose words are given. */
function isBelow(source: MergeSource, limit: MergeSource, hi: number, lo: number): boolean {
  if (source.hi !== hi) return source.hi < hi;
  if (source.lo !== lo) return source.lo < lo;
  return source.compare(limit) < 0;
}

/** The same where keys are words or bytes. */
function mergeWords(
  live: readonly MergeSource[],
  chosen: Selection,
  start: number,
  max: number,
): number {
  let best = live[0];
  let limit: MergeSource | null = null;
  for (let i = 1; i < live.length; i++) {
    const source = live[i];
    let other = source;
    const order = source.compare(best);
    if (order === 0) {
      source.step();
      if (source.done) continue;
    } else if (order < 0) {
      other = best;
      best = source;
    }
    if (limit === null || other.compare(limit) < 0) limit = other;
  }
  const limitHi = limit === null ? 0 : limit.hi;
  const limitLo = limit === null ? 0 : limit.lo;
  let count = start;
  do {
    chosen.source[count] = best.base + best.index;
    chosen.row[count] = best.row;
    count++;
    best.step();
  } while (count < max && !best.done && (limit === null || isBelow(best, limit, limitHi, limitLo)));
  return count;
}
