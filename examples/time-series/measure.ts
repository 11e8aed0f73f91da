/** How fast the rows are read, each way there is. Everything read is counted, so nothing is skipped. */
import assert from 'node:assert';
import { numberAt, rowOf, type Series, timeOf } from './series.ts';

const GETS = 1_000_000;
const MANY_KEYS = 1000;
const RANGES = 2000;
const RANGE_ROWS = 1000;

export interface Reading {
  readonly what: string;
  readonly rows: number;
  readonly seconds: number;
}

async function timed(what: string, read: () => number | Promise<number>): Promise<Reading> {
  const begun = performance.now();
  const rows = await read();
  return { what, rows, seconds: (performance.now() - begun) / 1000 };
}

/** @param rows how many rows of the series the database holds */
export async function measureReads(db: Series, rows: number): Promise<Reading[]> {
  const keys = Float64Array.from({ length: Math.min(GETS, 20 * rows) }, () =>
    timeOf(Math.floor(rows * Math.random())),
  );
  const starts = keys.subarray(0, RANGES);

  return [
    await timed('get, random keys', () => {
      let sum = 0;
      for (const key of keys) sum += db.get(key)?.sensor ?? Number.NaN;
      assert.ok(!Number.isNaN(sum), 'every key has a row');
      return keys.length;
    }),
    await timed(`getMany, ${MANY_KEYS} keys a call`, () => {
      let found = 0;
      for (let i = 0; i < keys.length; i += MANY_KEYS) {
        found += db.getMany(keys.subarray(i, i + MANY_KEYS)).length;
      }
      return found;
    }),
    await timed(`entries, ${RANGE_ROWS} rows a range`, () => {
      let read = 0;
      for (const gte of starts) {
        for (const [time, row] of db.entries({ gte, limit: RANGE_ROWS })) {
          assert.ok(row.sensor === rowOf(numberAt(time)).sensor);
          read++;
        }
      }
      return read;
    }),
    await timed('scan, Arrow batches', async () => {
      let read = 0;
      for await (const batch of db.scan()) read += batch.numRows;
      assert.strictEqual(read, rows);
      return read;
    }),
  ];
}
