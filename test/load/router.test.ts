import { tableFromArrays, vectorFromArray } from 'apache-arrow';
import test from 'ava';
import { OmenError } from '../../src/errors.ts';
import { placesOf } from '../../src/load/record-batch.ts';
import { Router } from '../../src/load/router.ts';
import { ShardRows } from '../../src/load/shard-rows.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { CrashStorage } from '../../src/storage/crash.ts';
import type { RunSlice } from '../../src/view/run-slice.ts';
import { Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { isSpilled } from '../../src/view/spilled-run.ts';
import { sharedOf } from './support.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { a: 'float64', b: 'utf8?' } });

test('fields of a source are found by name or number, and what does not fit is refused', (t) => {
  const code = (names: string[], mapping: Parameters<typeof placesOf>[2]) => {
    try {
      return placesOf(SCHEMA, names, mapping);
    } catch (error) {
      return error instanceof OmenError ? error.code : error;
    }
  };
  t.deepEqual(code(['b', 'key', 'a'], {}), { key: 1, columns: [2, 0] });
  t.deepEqual(code(['key', 'a'], {}), { key: 0, columns: [1, -1] });
  t.deepEqual(code(['id', 'x', 'y', 'z'], { key: 'id', columns: { a: 'y', b: 1 } }), {
    key: 0,
    columns: [2, 1],
  });
  t.deepEqual(code(['id', 'x'], { key: 0, columns: { a: 1 } }), { key: 0, columns: [1, -1] });
  t.is(code(['id', 'a'], {}), 'OMEN_MISSING_COLUMN');
  t.is(code(['key', 'b'], {}), 'OMEN_MISSING_COLUMN');
  t.is(code(['key', 'a', 'c'], {}), 'OMEN_UNKNOWN_COLUMN');
  t.is(code(['key', 'a'], { columns: { c: 'a' } }), 'OMEN_UNKNOWN_COLUMN');
  t.is(code(['key', 'a'], { columns: { a: 'a', b: 'nowhere' } }), 'OMEN_MISSING_COLUMN');
  t.is(code(['key', 'a'], { key: 7 }), 'OMEN_MISSING_COLUMN');
});

test('rows go to the shards that put would choose, each in the order of the source', async (t) => {
  const target = {
    schema: SCHEMA,
    shards: 3,
    chunkBytes: 1,
    nowMs: 0,
    partitioning: {
      kind: 'range',
      splits: [
        [0x80000000, 10],
        [0x80000000, 20],
      ],
    },
  } as const;
  const keysOf = (chunk: SegmentHandle) => {
    const segment = new Segment(chunk, 'int64');
    return Array.from({ length: segment.rows }, (_, i) => segment.number(i));
  };
  const storage = new CrashStorage();
  const written: SegmentHandle[][][][] = [[], [], []];
  const shards = written.map((all) => {
    const write = async ({ runs }: RunSlice) => {
      const open = runs.map((run) => run.filter((part) => !isSpilled(part)) as SegmentHandle[]);
      all.push(open);
      return { ids: [all.length], segments: open.flat(), rows: 0, bytes: 0, existing: 0 };
    };
    const shared = sharedOf(storage, { schema: SCHEMA });
    return new ShardRows({ shared, write, pathOf: String });
  });
  const chunks: [number, number[]][] = [];
  const router = new Router(target, (shard, chunk) => {
    chunks.push([shard, keysOf(chunk)]); // now: who sorts them may do so in place
    shards[shard].add(chunk);
  });
  for (const key of [25, 5, 15, 6, 4, 15]) router.add(key, { a: key });
  t.throws(() => router.add('x', { a: 1 }), { code: 'OMEN_INVALID_KEY' });
  t.throws(() => router.add(1, { a: 'x' }), { code: 'OMEN_INVALID_ROW' });
  router.finish();
  t.is(router.rows, 6);
  t.deepEqual(chunks, [
    [0, [5, 6, 4]],
    [1, [15, 15]],
    [2, [25]],
  ]);
  await Promise.all(shards.map((rows) => rows.finish()));
  const keys = written.map((all) => all.map((runs) => runs.map((run) => run.map(keysOf))));
  t.deepEqual(keys, [[[[[4, 5, 6]]]], [[[[15]]]], [[[[25]]]]]);
  t.is(storage.operations, 0);
});

test('a batch of other types is converted, and its bad rows are told one by one', (t) => {
  const table = tableFromArrays({ key: new Int32Array([3, 1, 2]), a: new Float32Array([1, 2, 3]) });
  const withText = table.assign(
    tableFromArrays({ b: vectorFromArray(['x', null, 'z']).toArray() as unknown as string[] }),
  );
  const target = {
    schema: SCHEMA,
    shards: 1,
    partitioning: { kind: 'hash' },
    chunkBytes: 1,
    nowMs: 0,
  } as const;
  const chunks: SegmentHandle[] = [];
  const router = new Router(target, (_, chunk) => chunks.push(chunk));
  const bad: number[] = [];
  for (const batch of table.batches) {
    router.addBatch(batch, {}, 0, batch.numRows, (_, row) => bad.push(row));
  }
  t.is(withText.numRows, 3);
  const wrong = tableFromArrays({ key: ['1', '2'], a: new Float32Array(2) });
  for (const batch of wrong.batches) {
    router.addBatch(batch, {}, 0, batch.numRows, (_, row) => bad.push(row));
  }
  router.finish();
  t.deepEqual(bad, [0, 1]);
  t.is(router.rows, 3);
});
