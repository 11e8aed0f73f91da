/**
 * The ordered merge of many runs by a tree of losers (D. Knuth, The Art of Computer Programming, vol. 3,
 * 5.4.1): a row costs as many comparisons as the tree has levels, however many runs there are. Hot: nothing is
 * allocated a row.
 *
 * - What a source stands at is copied into arrays for a block, and back at its end: between two blocks there is
 *   no tree, and no row is left whose key was given out.
 * - Node n has the nodes 2n and 2n + 1 below it, and the leaf of source i is node i + count. A node keeps who lost
 *   there; who lost nowhere is next. A source that is at its end loses against all others.
 */
import type { Selection } from './column-writer.ts';
import type { MergeSource } from './merge-keys.ts';

/** Writes the next merged rows into `chosen` and returns how many: at most `max`, 0 at the end. */
export function mergeByTree(
  sources: readonly MergeSource[],
  chosen: Selection,
  max: number,
): number {
  const isNumeric = sources.every((source) => source.isNumeric);
  return isNumeric ? mergeNumbers(sources, chosen, max) : mergeWords(sources, chosen, max);
}

/** @param isBelow whether a source's key comes before another's, or is the same and newer */
function build(count: number, isBelow: (a: number, b: number) => boolean): Int32Array {
  const losers = new Int32Array(count);
  const winners = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) winners[count + i] = i;
  for (let node = count - 1; node > 0; node--) {
    const [a, b] = [winners[2 * node], winners[2 * node + 1]];
    const isFirst = isBelow(a, b);
    winners[node] = isFirst ? a : b;
    losers[node] = isFirst ? b : a;
  }
  losers[0] = winners[1];
  return losers;
}

function mergeNumbers(sources: readonly MergeSource[], chosen: Selection, max: number): number {
  const count = sources.length;
  const keysOf = sources.map(({ segment }) => segment.keysF64);
  const keys = Float64Array.from(sources, (source) =>
    source.done ? Number.POSITIVE_INFINITY : source.number,
  );
  // Of equal keys the newest source's wins, and the end loses even against an infinite key.
  const ranks = Int32Array.from(sources, ({ done }, i) => (done ? count + i : i));
  const rows = Int32Array.from(sources, ({ row }) => row);
  const ends = Int32Array.from(sources, ({ end }) => end);
  const numbers = Int32Array.from(sources, ({ base, index }) => base + index);
  const losers = build(
    count,
    (a, b) => keys[a] < keys[b] || (keys[a] === keys[b] && ranks[a] < ranks[b]),
  );
  let written = 0;
  let next = losers[0];
  let last = Number.NaN;
  while (ranks[next] < count) {
    const key = keys[next];
    if (key !== last) {
      if (written === max) break;
      chosen.source[written] = numbers[next];
      chosen.row[written] = rows[next];
      written++;
      last = key;
    }
    if (++rows[next] < ends[next]) {
      keys[next] = keysOf[next][rows[next]];
    } else {
      const source = sources[next];
      source.row = ends[next] - 1;
      source.step();
      if (source.done) {
        keys[next] = Number.POSITIVE_INFINITY;
        ranks[next] = count + next;
      } else {
        keysOf[next] = source.segment.keysF64;
        keys[next] = source.number;
        rows[next] = source.row;
        ends[next] = source.end;
        numbers[next] = source.base + source.index;
      }
    }
    let winner = next;
    let own = keys[winner];
    for (let node = (next + count) >>> 1; node > 0; node >>>= 1) {
      const other = losers[node];
      const otherKey = keys[other];
      if (otherKey < own || (otherKey === own && ranks[other] < ranks[winner])) {
        losers[node] = winner;
        winner = other;
        own = otherKey;
      }
    }
    next = winner;
  }
  for (let i = 0; i < count; i++) if (!sources[i].done) sources[i].row = rows[i];
  return written;
}

/** The same where keys are words or bytes. */
function mergeWords(sources: readonly MergeSource[], chosen: Selection, max: number): number {
  const count = sources.length;
  const hi = Uint32Array.from(sources, (source) => (source.done ? 0 : source.hi));
  const lo = Uint32Array.from(sources, (source) => (source.done ? 0 : source.lo));
  const order = (a: number, b: number): number => {
    if (sources[a].done || sources[b].done)
      return Number(sources[a].done) - Number(sources[b].done);
    return hi[a] - hi[b] || lo[a] - lo[b] || sources[a].compare(sources[b]);
  };
  const losers = build(count, (a, b) => (order(a, b) || a - b) < 0);
  /** Takes the row that is next away, and returns whose row is next then. */
  const advance = (from: number): number => {
    const source = sources[from];
    source.step();
    if (!source.done) {
      hi[from] = source.hi;
      lo[from] = source.lo;
    }
    let winner = from;
    for (let node = (from + count) >>> 1; node > 0; node >>>= 1) {
      const other = losers[node];
      if ((order(other, winner) || other - winner) >= 0) continue;
      losers[node] = winner;
      winner = other;
    }
    return winner;
  };
  let written = 0;
  let next = losers[0];
  while (!sources[next].done && written < max) {
    const source = sources[next];
    chosen.source[written] = source.base + source.index;
    chosen.row[written] = source.row;
    written++;
    const { segment, row } = source;
    const [ownHi, ownLo] = [hi[next], lo[next]];
    next = advance(next);
    // Older rows of the same key.
    while (!sources[next].done && hi[next] === ownHi && lo[next] === ownLo) {
      const other = sources[next];
      if (other.segment.compareRows(other.row, segment, row) !== 0) break;
      next = advance(next);
    }
  }
  return written;
}
