/** JavaScript's own Map: no order, no file; what a look-up costs at the very least. */
import { MAP_ROWS_MAX } from '../../engine/stores.ts';
import type { Engine, EngineKind, Place } from '../engine.ts';
import { addedUp, amountIn, type Key, type Rows, type Value } from '../rows.ts';

export const map: EngineKind = {
  title: 'Map',
  inMemory: true,
  setup: 'one Map from key to value; without order, so without ranges',
  version: async () => `of V8 ${process.versions.v8}`,
  rowsMax: MAP_ROWS_MAX,
  open,
};

function open(_place: Place): Engine {
  const rows = new Map<Key, Value>();
  const store = ({ keys, values }: Rows): void => {
    for (let i = 0; i < keys.length; i++) rows.set(keys[i], values[i]);
  };
  return {
    load: store,
    get: (key) => rows.get(key),
    getMany: (keys) => addedUp(keys, (key) => rows.get(key)),
    put(key, value) {
      rows.set(key, value);
    },
    batch: store,
    walk() {
      let sum = 0;
      for (const [, value] of rows) sum += amountIn(value);
      return { rows: rows.size, sum };
    },
    close: () => rows.clear(),
  };
}
