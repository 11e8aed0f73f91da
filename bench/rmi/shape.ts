/** What training made of a set: its nodes and leaves, and how far down a key's leaf is. */
import {
  CELLS,
  FIRST_CELL,
  IS_NODE,
  type Model,
  NODE_DOUBLES,
  NODE_MASK,
  NODE_WORDS,
  SCALE,
  START,
  wordsOf,
} from '../../src/rmi/model.ts';

export interface Shape {
  readonly nodes: number;
  /** Those that have separators. */
  readonly separated: number;
  /** The level of the average key's leaf. */
  readonly levelMean: number;
  /** In the root. */
  readonly keysPerCell: number;
}

/** A leaf is the cell `cell` of a node: the positions in [start, end). */
type VisitLeaf = (start: number, end: number, level: number, node: number, cell: number) => void;

/** Leaves come in the order of their keys. */
export function eachLeaf(model: Model, visit: VisitLeaf, visitNode = (_node: number) => {}): void {
  const words = wordsOf(model.nodes);
  const descend = (node: number, level: number): void => {
    visitNode(node);
    const first = words[NODE_WORDS * node + FIRST_CELL];
    const count = words[NODE_WORDS * node + CELLS];
    for (let cell = 0; cell < count; cell++) {
      const start = model.cells[first + cell];
      if (start >= IS_NODE) {
        descend(start & NODE_MASK, level + 1);
        continue;
      }
      const next = model.cells[first + cell + 1];
      const end = next >= IS_NODE ? words[NODE_WORDS * (next & NODE_MASK) + START] : next;
      visit(start, end, level, node, cell);
    }
  };
  descend(0, 1);
}

export function shapeOf(model: Model): Shape {
  let nodes = 0;
  let separated = 0;
  let levels = 0;
  eachLeaf(
    model,
    (start, end, level) => {
      levels += level * (end - start);
    },
    (node) => {
      nodes++;
      if (model.nodes[NODE_DOUBLES * node + SCALE] === 0) separated++;
    },
  );
  return {
    nodes,
    separated,
    levelMean: levels / model.keyCount,
    keysPerCell: model.keyCount / wordsOf(model.nodes)[CELLS],
  };
}
