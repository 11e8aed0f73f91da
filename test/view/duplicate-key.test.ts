import test from 'ava';
import { layoutSegment } from '../../src/arrow/layout.ts';
import { keyMemory } from '../../src/schema/key-bytes.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { duplicateKey, findDuplicate, rowsIn } from '../../src/view/duplicate-key.ts';
import { Segment } from '../../src/view/segment.ts';
import { unindexed } from '../../src/view/unindexed.ts';

const SCHEMA = parseSchema({ key: 'utf8', columns: { a: 'float64' } });

/** Ascending keys as one segment. */
function segmentOf(keys: readonly string[]): Segment {
  const texts = keys.map((key) => Buffer.from(key));
  const keyBytes = texts.reduce((sum, { length }) => sum + length, 0);
  const layout = layoutSegment(SCHEMA, keys.length, [0], { flags: false, keyBytes });
  const body = new SharedArrayBuffer(layout.bodyBytes);
  const offsets = new Int32Array(body, layout.key.offsets?.offset, keys.length + 1);
  const { buffer } = keyMemory(body, layout.key.data.offset, keyBytes);
  for (const [i, text] of texts.entries()) {
    buffer.set(text, offsets[i]);
    offsets[i + 1] = offsets[i] + text.length;
  }
  return new Segment(unindexed('bytes', layout, body), 'utf8');
}

test('a key of two runs is found among many rows, and not where it is cut away', (t) => {
  const name = (i: number) => `key ${String(i).padStart(6, '0')}`;
  const even = Array.from({ length: 6000 }, (_, i) => name(2 * i));
  const odd = Array.from({ length: 6000 }, (_, i) => name(2 * i + 1));
  odd[5500] = name(11_000);
  const halves = [segmentOf(even.slice(0, 2500)), segmentOf(even.slice(2500))];
  const whole = { start: 0, end: 6000 };
  const runs = [halves, [segmentOf(odd)]];
  const open = { runs, trims: [{ start: 0, end: 3500 }, whole] };
  t.is(rowsIn(open), 12_000);
  const found = findDuplicate(open);
  t.is(Buffer.from(found?.bytes ?? []).toString(), name(11_000));
  if (found === null) return;
  const error = duplicateKey('utf8', found);
  t.is(error.code, 'OMEN_DUPLICATE_KEY');
  t.regex(error.message, /^The key 'key 011000' comes more than once/);
  const cut = { runs, trims: [{ start: 0, end: 3000 }, whole] };
  t.is(rowsIn(cut), 11_500);
  t.is(findDuplicate(cut), null);
});
