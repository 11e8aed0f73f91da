/**
 * Checks a model that came from a disk or another thread, so that no look-up can leave its arrays or
 * run for ever, whatever the bytes are. The time and memory it takes are those of reading the model
 * once. It does not look at the keys: a model that passes and is of other keys makes look-ups slow,
 * never wrong.
 */
import { OmenError } from '../errors.ts';
import { checkCode } from './byte-code.ts';
import { fingerprintBytes } from './fingerprints.ts';
import {
  BASE,
  CELLS,
  DEPTH_MAX,
  FIRST_CELL,
  IS_NODE,
  KEYS_MAX,
  type Model,
  NODE_DOUBLES,
  NODE_MASK,
  NODE_WORDS,
  recordsOf,
  SCALE,
  SEPARATED_CELLS_MAX,
  START,
  wordsOf,
} from './model.ts';

/**
 * @param keyCount how many keys the model must be of
 * @throws OMEN_CORRUPT naming what is wrong
 */
export function checkModel(model: Model, keyCount: number): void {
  const { form, nodes, cells, epsilon } = model;
  if (form !== 'f64' && form !== 'words' && form !== 'bytes') refuse(`${form} is no form of keys`);
  if (model.keyCount !== keyCount) refuse(`it is of ${model.keyCount} keys, not of ${keyCount}`);
  if (!isCount(epsilon, KEYS_MAX) || epsilon === 0) refuse('epsilon is out of range');
  const windowMax = form === 'bytes' ? Math.max(keyCount, 1) : 2 * epsilon + 1;
  if (!isCount(model.windowMax, windowMax)) refuse('windowMax is out of range');
  if (!isCount(model.leafCount, cells.length + keyCount)) refuse('leafCount is out of range');
  if (!isCount(model.depth, DEPTH_MAX)) refuse('depth is out of range');
  if (form === 'bytes') {
    checkCode(model.code);
    const { length } = model.fingerprints;
    if (length !== fingerprintBytes(keyCount)) refuse(`it has ${length} fingerprints`);
  }
  const records = nodes.length / NODE_DOUBLES;
  if (!isCount(records, NODE_MASK) || records === 0) refuse('a node is cut off');
  const words = wordsOf(nodes);
  /** Of each record that begins a node some cell leads to, its level. */
  const levels = new Uint8Array(records);
  levels[0] = 1;
  let cellsRead = 0;
  let next = 0;
  for (let record = 0; record < records; record++) {
    if ((levels[record] === 0) === (record === next)) refuse(`record ${record} is no node`);
    if (record < next) continue;
    next += checkNode(model, words, record);
    if (next > records) refuse('separators are cut off');
    cellsRead = checkCells(model, words, levels, record, cellsRead);
  }
  if (cellsRead !== cells.length) refuse('there are cells of no node');
}

/** A node by itself. Returns how many records it takes. */
function checkNode(model: Model, words: Uint32Array, node: number): number {
  const { form, nodes } = model;
  // The first key of a node is looked at where the node skips bytes.
  const start = words[NODE_WORDS * node + START];
  if (start >= model.keyCount && start > 0) refuse(`node ${node} is of no keys`);
  const count = words[NODE_WORDS * node + CELLS];
  if (count === 0) refuse(`node ${node} has no cells`);
  const base = nodes[NODE_DOUBLES * node + BASE];
  if (form !== 'words' && !Number.isFinite(base)) refuse(`the base of node ${node} is ${base}`);
  const scale = nodes[NODE_DOUBLES * node + SCALE];
  if (!(scale >= 0 && scale < Infinity)) refuse(`the scale of node ${node} is ${scale}`);
  const isSeparated = scale === 0;
  if (isSeparated && (count > SEPARATED_CELLS_MAX || (count & (count - 1)) !== 0)) {
    refuse(`node ${node} cannot have ${count} cells`);
  }
  return recordsOf(count, isSeparated);
}

/** The cells of a node, which follow those of the nodes before it. Returns where they end. */
function checkCells(
  { cells, keyCount }: Model,
  words: Uint32Array,
  levels: Uint8Array,
  node: number,
  first: number,
): number {
  const last = first + words[NODE_WORDS * node + CELLS];
  if (words[NODE_WORDS * node + FIRST_CELL] !== first || last >= cells.length) {
    refuse(`node ${node} is not of the cells after those of the nodes before it`);
  }
  let previous = words[NODE_WORDS * node + START];
  for (let cell = first; cell <= last; cell++) {
    let position = cells[cell];
    if (position >= IS_NODE) {
      const child = position & NODE_MASK;
      const isFree = child > node && child < levels.length && levels[child] === 0;
      if (!isFree || cell === last) refuse(`cell ${cell} is no node below node ${node}`);
      if (levels[node] === DEPTH_MAX) refuse(`node ${child} is too deep`);
      levels[child] = levels[node] + 1;
      position = words[NODE_WORDS * child + START];
    }
    if (position < previous || position > keyCount) refuse(`cell ${cell} is out of order`);
    previous = position;
  }
  return last + 1;
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function refuse(what: string): never {
  throw new OmenError('OMEN_CORRUPT', `The learned index is damaged: ${what}.`);
}
