/** Files of rows `int64 → float64` for the benchmarks of bulk loads, written a batch at a time. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Float64, Int64, makeData, makeVector, RecordBatchFileWriter, Table } from 'apache-arrow';

export const SCHEMA = { key: 'int64', columns: { value: 'float64' } } as const;
/** Keys are multiples of this. */
export const STEP = 3;
const BATCH_ROWS = 2 ** 20;

/** Key of row i in the order of the source. */
export type KeyOf = (i: number) => number;

/** A permutation of all rows, at most 2^31: numbers of so many bits, mixed one to one, and too large ones again. */
export function shuffled(rows: number): KeyOf {
  const bits = Math.max(2, Math.ceil(Math.log2(rows)));
  const mask = 2 ** bits - 1;
  const half = bits >>> 1;
  return (i) => {
    let at = i;
    do {
      at = (Math.imul(at, 0x9e3779b1) + 12345) & mask;
      at ^= at >>> half;
      at = Math.imul(at, 0x85ebca6b) & mask;
      at ^= at >>> half;
    } while (at >= rows);
    return STEP * at;
  };
}

export async function writeArrow(path: string, rows: number, keyOf: KeyOf): Promise<void> {
  const file = openSync(path, 'w');
  const writer = new RecordBatchFileWriter();
  const written = (async () => {
    for await (const bytes of writer as AsyncIterable<Uint8Array>) writeSync(file, bytes);
  })();
  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const length = Math.min(BATCH_ROWS, rows - from);
    const keys = new BigInt64Array(length);
    const words = new Int32Array(keys.buffer);
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const key = keyOf(from + i);
      words[2 * i] = key;
      words[2 * i + 1] = Math.floor(key / 2 ** 32);
      values[i] = key / 2;
    }
    const table = new Table({
      key: makeVector(makeData({ type: new Int64(), length, data: keys })),
      value: makeVector(makeData({ type: new Float64(), length, data: values })),
    });
    for (const batch of table.batches) writer.write(batch);
    // What was written goes to the file before there is more.
    await new Promise((resolve) => setImmediate(resolve));
  }
  writer.finish();
  await written;
  closeSync(file);
}

export function writeCsv(path: string, rows: number, keyOf: KeyOf): void {
  const file = openSync(path, 'w');
  writeSync(file, 'key,value\n');
  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const lines: string[] = [];
    for (let i = from; i < Math.min(rows, from + BATCH_ROWS); i++) {
      const key = keyOf(i);
      lines.push(`${key},${key / 2}\n`);
    }
    writeSync(file, lines.join(''));
  }
  closeSync(file);
}
