/** The package sorted-btree: a B+tree of JavaScript arrays, in memory. */
import { TREE_NODE_SIZE } from '../../engine/stores.ts';
import { peer, versionOf } from '../../packages.ts';
import type { Engine, EngineKind, Place } from '../engine.ts';
import { addedUp, amountIn, type Key, type Rows, type Value } from '../rows.ts';

/** What is used of the package. */
interface SortedBTree {
  readonly default: {
    readonly default: new (
      entries: undefined,
      compare: (a: Key, b: Key) => number,
      maxNodeSize: number,
    ) => Tree;
  };
}

interface Tree {
  set(key: Key, value: Value): boolean;
  get(key: Key): Value | undefined;
  entries(from?: Key, reused?: (Key | Value)[]): IterableIterator<[Key, Value]>;
  forRange(
    low: Key,
    high: Key,
    includeHigh: boolean,
    onFound: (key: Key, value: Value) => void,
  ): number;
  clear(): void;
}

export const btree: EngineKind = {
  title: 'sorted-btree',
  inMemory: true,
  setup: `nodes of ${TREE_NODE_SIZE} (of 32 to 256 the quickest for gets), one comparison of numbers or of texts; iterators reuse their entry`,
  version: async () => versionOf('sorted-btree'),
  open,
};

async function open({ kind }: Place): Promise<Engine> {
  const { default: module } = await peer<SortedBTree>('sorted-btree');
  const compare: (a: never, b: never) => number =
    kind === 'strings'
      ? (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
      : (a: number, b: number) => a - b;
  const tree = new module.default(undefined, compare as (a: Key, b: Key) => number, TREE_NODE_SIZE);
  const store = ({ keys, values }: Rows): void => {
    for (let i = 0; i < keys.length; i++) tree.set(keys[i], values[i]);
  };
  const reused: (Key | Value)[] = [];
  return {
    load: store,
    get: (key) => tree.get(key),
    getMany: (keys) => addedUp(keys, (key) => tree.get(key)),
    put(key, value) {
      tree.set(key, value);
    },
    batch: store,
    range(from, rowsMax) {
      let [rows, sum] = [0, 0];
      for (const [, value] of tree.entries(from, reused)) {
        sum += amountIn(value);
        if (++rows === rowsMax) break;
      }
      return { rows, sum };
    },
    walk() {
      let [rows, sum] = [0, 0];
      for (const [, value] of tree.entries(undefined, reused)) {
        sum += amountIn(value);
        rows++;
      }
      return { rows, sum };
    },
    aggregate(from, to) {
      let sum = 0;
      const rows = tree.forRange(from, to, false, (_key, value) => {
        sum += amountIn(value);
      });
      return { rows, sum };
    },
    close: () => tree.clear(),
  };
}
