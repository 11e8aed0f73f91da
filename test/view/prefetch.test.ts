import test from 'ava';
import { layoutSegment } from '../../src/arrow/layout.ts';
import { COLUMN_TYPES, isVariable, parseSchema } from '../../src/schema/schema.ts';
import { Prefetch } from '../../src/view/prefetch.ts';

/** The sum of loads beyond the memory would not be a number. */
test('memory is asked for within keys and rows alone, wherever a prediction is', (t) => {
  for (const type of COLUMN_TYPES) {
    for (let rows = 1; rows < 40; rows++) {
      const schema = parseSchema({ key: 'int64', columns: { c: type } });
      const layout = layoutSegment(schema, rows, [isVariable(type) ? 5 : 0], { flags: false });
      const body = new SharedArrayBuffer(layout.bodyBytes);
      new Uint8Array(body).fill(1);
      const prefetch = new Prefetch(body, layout);
      const order = Uint32Array.from({ length: rows + 1 }, (_, i) => rows - i);
      for (const position of order) {
        prefetch.sum = 0;
        prefetch.nearMany(Int32Array.of(position), 0, 1);
        t.is(prefetch.sum, rows > 7 ? 4 : 0, `position ${position} of ${rows} rows of ${type}`);
      }
      prefetch.nearMany(Int32Array.from(order), 0, rows + 1);
      t.is(prefetch.sum, rows > 7 ? 4 * (rows + 1) : 0);
    }
  }
});
