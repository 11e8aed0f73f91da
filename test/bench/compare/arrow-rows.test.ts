/** Rows as Arrow record batches: the same keys and values, whatever they are. */
import test from 'ava';
import fc from 'fast-check';
import { arrowBatches } from '../../../bench/compare/arrow-rows.ts';
import { type Rows, rowsToLoad } from '../../../bench/compare/rows.ts';

function readBack(rows: Rows, size: number): [unknown, unknown][] {
  return [...arrowBatches(rows, size)].flatMap((batch) => {
    const [keys, values] = ['key', 'value'].map((name) => batch.getChild(name));
    return Array.from({ length: batch.numRows }, (_, i): [unknown, unknown] => [
      keys?.get(i),
      values?.get(i),
    ]);
  });
}

test('64-bit keys and their values come in batches of the size asked for', (t) => {
  const rows = rowsToLoad('uniform', 250, 'shuffled');
  t.is([...arrowBatches(rows, 100)].length, 3);
  t.deepEqual(
    readBack(rows, 100),
    Array.from(rows.keys as Float64Array, (key, i) => [BigInt(key), rows.values[i]]),
  );
});

test('texts of any characters are those that were given', (t) => {
  const texts = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 20 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 7 }), (some, size) => {
      const rows = { keys: some, values: some.toReversed() };
      const wanted = some.map((text, i) => [text, rows.values[i]]);
      if (JSON.stringify(readBack(rows, size)) !== JSON.stringify(wanted)) {
        throw new Error(JSON.stringify(readBack(rows, size)));
      }
    }),
  );
  t.pass();
});
