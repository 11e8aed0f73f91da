import test from 'ava';
import { bytes, count, counted, duration, parseBytes, short } from '../../src/cli/figures.ts';

test('figures read well at every size', (t) => {
  t.is(count(1_234_567.8), '1,234,568');
  t.deepEqual([counted(0, 'row'), counted(1, 'row')], ['0 rows', '1 row']);
  t.deepEqual([0, 999, 1000, 123_456, 2.5e6, 1e12].map(short), [
    ...['0', '999', '1.0 k', '123 k', '2.5 M', '1000 G'],
  ]);
  t.deepEqual([0, 999, 1000, 120e6, 3e15].map(bytes), [
    ...['0 B', '999 B', '1.0 kB', '120 MB', '3000 TB'],
  ]);
  t.deepEqual([0, 9949, 9951, 59_400, 59_600, 185_000, 7_385_000].map(duration), [
    ...['0.0 s', '9.9 s', '10 s', '59 s', '1:00', '3:05', '2:03:05'],
  ]);
});

test('sizes are read as they are written', (t) => {
  t.deepEqual(['7', '512MB', '1.5 GB', '2GiB', '1kib', '3M'].map(parseBytes), [
    ...[7, 512e6, 1.5e9, 2 ** 31, 1024, 3 * 2 ** 20],
  ]);
  for (const text of ['', 'MB', '-1', '1XB', '1 2', '1e3']) t.is(parseBytes(text), undefined, text);
});
