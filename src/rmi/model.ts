/**
 * The learned index of a sorted run of keys, as plain typed arrays.
 *
 * A node divides a stretch of the key range into cells, of equal width where that suits the keys. A
 * cell is a *leaf*, a straight line from the position of its first key to that of the next cell's,
 * where that line is close enough to the truth; elsewhere it is a node of its own. Nothing else is
 * stored, so a leaf costs four bytes, and a look-up on even data touches one word of the index and
 * one stretch of the keys. (The division is that of a histogram tree, Crotty, "Hist-Tree", CIDR
 * 2021; the line inside a cell makes it a piecewise linear model whose knots need not be stored.)
 * Where keys are so uneven that cells of equal width would not tell them apart, a node divides them
 * by rank, with separators, as a B-tree does.
 *
 * Invariants, established by training and checked by `checkModel` for a model read from a disk:
 * - Node 0 is the root. A child's number is greater than its parent's: every descent ends, after
 *   `DEPTH_MAX` nodes at most. Cells lie in the order of their nodes.
 * - A cell is a position in the keys (below 2^31), or 2^31 plus the number of a node. Read as the
 *   positions where cells begin, the cells of a node never descend, and the one after the last is
 *   the position after the node's last key.
 * - Which cell a key falls in never descends as the key grows: the arithmetic is monotone, because
 *   IEEE rounding is. So the keys of a cell are exactly those between its ends, for keys that are
 *   there and for keys that are not; no error bound is involved.
 * - The prediction in a leaf is off by at most `error` of its node, or the leaf has at most 2ε keys,
 *   but for keys of variable length that are told apart on no level: they share one leaf.
 *
 * A model is never written once trained; all threads may read it.
 */

/** A node is a record of four doubles; these are indices into it as doubles. */
export const BASE = 0;
/** Cells a unit of distance from the base; 0 where separators divide the keys. */
export const SCALE = 1;
export const NODE_DOUBLES = 4;
/** Separators follow their node, one fewer than its cells, in as many records as they fill. */
export const SEPARATORS = NODE_DOUBLES;
export const SEPARATED_CELLS_MAX = 64;

/** Indices into the record as 32-bit words. The base of the `words` form takes two. */
export const BASE_LO = 0;
export const BASE_HI = 1;
/** Number of cells; a power of two where separators divide the keys. */
export const CELLS = 4;
/** Index of the first cell. */
export const FIRST_CELL = 5;
/** Position of the first key. */
export const START = 6;
/** The largest distance between the prediction and the position of a key in the node's own leaves. */
export const ERROR = 7;
/** In the `bytes` form, in its place: how many bytes all keys of the node share, from their start. */
export const SKIP = ERROR;
export const NODE_WORDS = 2 * NODE_DOUBLES;

/** Set in a cell that is a node. The other bits are the number of its record. */
export const IS_NODE = 0x80000000;
export const NODE_MASK = 0x7fffffff;
export const KEYS_MAX = 0x7fffffff;
/** Levels of nodes in any model. */
export const DEPTH_MAX = 16;

export const TWO_32 = 4294967296;

/** Records that a node takes. */
export function recordsOf(cells: number, isSeparated: boolean): number {
  return 1 + (isSeparated ? Math.ceil((cells - 1) / NODE_DOUBLES) : 0);
}

/** Where a key beyond the last cell is taken to stand: this far before that cell's end, in cells. */
export const EDGE = 2 ** -20;

/**
 * What the keys are: numbers, sortable keys as interleaved [lo, hi] pairs of 32-bit words, or bytes
 * of any length.
 */
export type KeyForm = 'f64' | 'words' | 'bytes';

export interface Model {
  readonly form: KeyForm;
  readonly keyCount: number;
  /** Training was to keep every window within 2ε + 1 positions. */
  readonly epsilon: number;
  /**
   * The largest number of positions between which a key of a leaf may stand. At most 2ε + 1, but for
   * bytes that no level tells apart.
   */
  readonly windowMax: number;
  readonly leafCount: number;
  /** Levels of nodes. */
  readonly depth: number;
  readonly cells: Uint32Array<SharedArrayBuffer>;
  /** Records of `NODE_DOUBLES`: nodes, each with its separators after it. */
  readonly nodes: Float64Array<SharedArrayBuffer>;
  /** Of the `bytes` form, the shares of its code (`byte-code.ts`); else nothing. */
  readonly code: Uint16Array<SharedArrayBuffer>;
  /** Of the `bytes` form, a byte of each key's hash (`fingerprints.ts`); else nothing. */
  readonly fingerprints: Uint8Array<SharedArrayBuffer>;
}

/** The same memory as 32-bit words. */
export function wordsOf(nodes: Float64Array): Uint32Array {
  return new Uint32Array(nodes.buffer, nodes.byteOffset, 2 * nodes.length);
}

/** The same memory as signed words. */
export function signed(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length);
}

export function modelBytes({ cells, nodes, code, fingerprints }: Model): number {
  return cells.byteLength + nodes.byteLength + code.byteLength + fingerprints.byteLength;
}

/**
 * How many separators of a node are not above a key: its cell. The bits of the answer are found from
 * the top without a branch that could be mispredicted.
 */
export function cellBySeparators(
  nodes: Float64Array,
  node: number,
  cells: number,
  key: number,
): number {
  const before = NODE_DOUBLES * node + SEPARATORS - 1;
  let cell = 0;
  for (let bit = 30 - Math.clz32(cells); bit >= 0; bit--) {
    cell += Number(nodes[before + cell + (1 << bit)] <= key) << bit;
  }
  return cell;
}
