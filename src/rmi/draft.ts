/**
 * A model in the making: nodes and cells that grow by doubling. Belongs to one training. Records and
 * cells are only ever appended (or taken back from the end), so that the cells of a node lie together
 * and in the order of the nodes.
 */

import { strict as assert } from 'node:assert';
import { sharedMemory } from '../shared-memory.ts';
import {
  CELLS,
  ERROR,
  FIRST_CELL,
  type KeyForm,
  type Model,
  NODE_DOUBLES,
  NODE_WORDS,
  START,
  wordsOf,
} from './model.ts';

export class Draft {
  #cells = new Uint32Array(1024);
  #cellCount = 0;
  #nodes = new Float64Array(64 * NODE_DOUBLES);
  #words = wordsOf(this.#nodes);
  #records = 0;
  #leafCount = 0;
  #windowMax = 0;
  #depth = 0;

  /** To be read anew after anything is appended: growing replaces them. */
  get cells(): Uint32Array {
    return this.#cells;
  }

  get nodes(): Float64Array {
    return this.#nodes;
  }

  get words(): Uint32Array {
    return this.#words;
  }

  /** Appends a node of the keys from `start` on. Returns its number. */
  addNode(start: number, depth: number): number {
    const node = this.addRecords(1);
    this.#words[NODE_WORDS * node + START] = start;
    this.#depth = Math.max(this.#depth, depth);
    return node;
  }

  /** Returns the number of the first. */
  addRecords(records: number): number {
    const first = this.#records;
    this.#records += records;
    if (NODE_DOUBLES * this.#records > this.#nodes.length) {
      const larger = new Float64Array(2 * NODE_DOUBLES * this.#records);
      larger.set(this.#nodes);
      this.#nodes = larger;
      this.#words = wordsOf(larger);
    }
    return first;
  }

  /** Returns the index of the first. */
  addCells(cells: number): number {
    const first = this.#cellCount;
    this.#cellCount += cells;
    if (this.#cellCount > this.#cells.length) {
      const larger = new Uint32Array(2 * this.#cellCount);
      larger.set(this.#cells);
      this.#cells = larger;
    }
    return first;
  }

  /** Takes back the cells from `first` on. */
  dropCells(first: number): void {
    assert(first <= this.#cellCount);
    this.#cellCount = first;
  }

  /** Makes the last `cells` cells, which begin at `first`, so many times wider. */
  widenCells(first: number, cells: number, width: number): void {
    assert(first + cells + 1 === this.#cellCount && cells % width === 0);
    const left = cells / width;
    for (let cell = 1; cell <= left; cell++) {
      this.#cells[first + cell] = this.#cells[first + cell * width];
    }
    this.dropCells(first + left + 1);
  }

  /** The cells of a node, of which `leaves` are leaves. */
  setCells(node: number, first: number, cells: number, leaves: number, error: number): void {
    const at = NODE_WORDS * node;
    this.#words[at + CELLS] = cells;
    this.#words[at + FIRST_CELL] = first;
    this.#words[at + ERROR] = error;
    this.#leafCount += leaves;
  }

  widen(window: number): void {
    this.#windowMax = Math.max(this.#windowMax, window);
  }

  /** The model, in shared memory of its exact size. */
  seal(
    form: KeyForm,
    keyCount: number,
    epsilon: number,
    code: Uint16Array<SharedArrayBuffer>,
    fingerprints: Uint8Array<SharedArrayBuffer>,
  ): Model {
    const cells = new Uint32Array(sharedMemory(4 * this.#cellCount));
    cells.set(this.#cells.subarray(0, this.#cellCount));
    const nodes = new Float64Array(sharedMemory(8 * NODE_DOUBLES * this.#records));
    nodes.set(this.#nodes.subarray(0, NODE_DOUBLES * this.#records));
    return {
      form,
      keyCount,
      epsilon,
      windowMax: this.#windowMax,
      leafCount: this.#leafCount,
      depth: this.#depth,
      cells,
      nodes,
      code,
      fingerprints,
    };
  }
}
