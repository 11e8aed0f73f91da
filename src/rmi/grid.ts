/**
 * How wide the cells of a node are to be, estimated without looking at its keys again.
 *
 * Training lays a fine grid over the keys first: the positions where its cells begin. Each coarser
 * grid of cells twice, four times … as wide is every second, fourth … of them. Where the fine cells
 * of a wider one begin, it is known exactly how far off its line is; in between, errors are taken to
 * be the mean of those at either end. So all widths together cost a few operations a fine cell.
 */
import { type Costs, lineNs, SEARCHED_MAX, SEPARATOR_BIT_NS } from './cost.ts';
import { NODE_DOUBLES, recordsOf, SEPARATED_CELLS_MAX } from './model.ts';

/** Fine cells to the widest cell, at most; a power of two. */
export const WIDTH_MAX = 32;
/** And in a node so small that a look-up can do with few cells. */
const SMALL_WIDTH_MAX = 8;
export const KEYS_PER_FINE_CELL = 16;
export const KEYS_PER_SEPARATOR = 20;

/** The limits of leaves. */
export interface LeafLimits {
  /** So few keys are a leaf, wherever they lie. */
  readonly keysMin: number;
  /** Leaves of more keys are off by this at most. */
  readonly errorMax: number;
}

export interface Division {
  /** Fine cells to a cell of the division. */
  readonly width: number;
  /** What is still to pay in it, for the average key. */
  readonly ns: number;
}

/** Cells of the fine grid for so many keys: a multiple of its largest width. */
export function fineCells(count: number): number {
  const width = widthMax(count);
  return width * Math.ceil(count / (width * KEYS_PER_FINE_CELL));
}

function widthMax(count: number): number {
  return count < WIDTH_MAX * KEYS_PER_FINE_CELL ? SMALL_WIDTH_MAX : WIDTH_MAX;
}

/** Memory of a node between whose keys there are no separators. */
export function evenBytes(cells: number): number {
  return 8 * NODE_DOUBLES + 4 * (cells + 1);
}

/**
 * The cheapest of all widths.
 * @param table where the cells of the fine grid begin, from `first` on, and where the last one ends
 * @param bytesMax no more memory than this
 * @returns null where all widths take more, or where they do not tell the keys apart at all
 */
export function cheapestDivision(
  table: Uint32Array,
  first: number,
  cells: number,
  bytesMax: number,
  costs: Costs,
  limits: LeafLimits,
): Division | null {
  let best: Division | null = null;
  const last = first + cells;
  const count = table[last] - table[first];
  for (let width = widthMax(count); width >= 1; width /= 2) {
    const bytes = evenBytes(cells / width);
    if (bytes > bytesMax || cells === width) continue;
    const line = lineNs((4 * (cells / width) * costs.keyCount) / count);
    const most: number = best === null ? Infinity : best.ns - line;
    const ns: number = line + cellsNs(table, first, last, width, most, costs, limits);
    if (ns < (best?.ns ?? Infinity)) best = { width, ns };
  }
  return best;
}

/**
 * What cells of one width leave to be done, for the average key: searches, and levels below.
 * Infinity if it is more than `nsMax`.
 */
function cellsNs(
  table: Uint32Array,
  first: number,
  last: number,
  width: number,
  nsMax: number,
  costs: Costs,
  { keysMin, errorMax }: LeafLimits,
): number {
  const { level, search } = costs;
  const count = table[last] - table[first];
  let sum = 0;
  let hardKeys = 0;
  let hardBits = 0;
  let end = table[first];
  for (let cell = first; cell < last; cell += width) {
    const start = end;
    end = table[cell + width];
    const keys = end - start;
    if (keys === 0) continue;
    let largest = 0;
    let ns = 0;
    if (keys > keysMin && width === 1) {
      // Of a full fine cell nothing is known but that it has more keys than others.
      largest = Infinity;
    } else {
      const step = keys / width;
      let before = 0;
      let position = start;
      for (let fine = 1; fine <= width; fine++) {
        const next = table[cell + fine];
        const off = Math.abs(start + step * fine - next) | 0;
        const inside = next - position;
        // Keys in a fine cell are taken to be a little uneven in any case.
        const error = Math.max((before + off) >>> 1, inside >>> 3);
        ns += inside * search[Math.min(error, SEARCHED_MAX)];
        largest = Math.max(largest, error);
        before = off;
        position = next;
      }
    }
    if (keys <= keysMin || (largest <= errorMax && ns <= level * keys)) {
      sum += ns;
    } else {
      hardKeys += keys;
      hardBits += keys * Math.log2(keys);
    }
    if (sum + hardKeys * level > nsMax * count) return Infinity;
  }
  if (hardKeys > 0) {
    const bits = hardBits / hardKeys;
    const narrowing = levelsBelow(bits, Math.log2(count) - bits, keysMin);
    sum += hardKeys * level * Math.min(narrowing, 1 + hardKeys / (count - hardKeys));
  }
  return sum / count;
}

/** Levels that 2^bits keys will need, if each narrows them as the one above has. */
function levelsBelow(bits: number, narrowed: number, keysMin: number): number {
  const left = bits - Math.log2(keysMin);
  return Math.max(1, left / Math.min(narrowed, Math.log2(SEPARATED_CELLS_MAX)));
}

/** Cells between separators for so many keys. */
export function separatedCells(count: number): number {
  let cells = SEPARATED_CELLS_MAX;
  while (cells > 2 && count <= (cells / 2) * KEYS_PER_SEPARATOR) cells /= 2;
  return cells;
}

/** As `Division.ns`, of a node that has separators. */
export function separatedNs(count: number, costs: Costs, { keysMin }: LeafLimits): number {
  const cells = separatedCells(count);
  const bits = Math.log2(cells);
  const bytes = 8 * NODE_DOUBLES * recordsOf(cells, true) + 4 * (cells + 1);
  const below = Math.log2(count / cells / keysMin);
  const levels = below > 0 ? Math.max(1, below / bits) : 0;
  // Of its own separators a look-up reads two lines or so.
  const lines = 2 * lineNs((bytes * costs.keyCount) / count);
  return bits * SEPARATOR_BIT_NS + lines + levels * (costs.level + bits * SEPARATOR_BIT_NS);
}
