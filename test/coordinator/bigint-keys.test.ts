import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import { openNew, temporaryDirectory } from './support.ts';

const TYPES = { int64: [-(2n ** 63n), 2n ** 63n - 1n], uint64: [0n, 2n ** 64n - 1n] } as const;
/** Keys that are exact numbers, and keys that are not: held in other forms, and looked up in other ways. */
const FROM = {
  int64: [-300n, 2n ** 60n, -(2n ** 60n)],
  uint64: [7n, 2n ** 60n, 2n ** 63n],
} as const;

for (const type of ['int64', 'uint64'] as const) {
  for (const from of FROM[type]) {
    test(`${type} keys from ${from} on are found as bigints, at rest and not`, async (t) => {
      const [least, greatest] = TYPES[type];
      const db = await openNew(t, {
        key: type,
        columns: { value: 'float64' },
        shards: 2,
        bigints: true,
      });
      const keys = Array.from({ length: 500 }, (_, i) => from + 3n * BigInt(i));
      const check = (rows: ReadonlyMap<bigint, number>) => {
        for (const key of keys) {
          for (const near of [key - 1n, key, key + 1n]) {
            const value = rows.get(near);
            t.deepEqual(db.get(near), value === undefined ? undefined : { value }, `${near}`);
          }
          // The same 64 bits, and no key of this type.
          t.throws(() => db.get(key + 2n ** 64n), { code: 'OMEN_INVALID_KEY' });
          t.throws(() => db.get(key - 2n ** 64n), { code: 'OMEN_INVALID_KEY' });
        }
        for (const far of [least, greatest, 0n, 2n ** 62n]) {
          if (!rows.has(far)) t.is(db.get(far), undefined);
        }
        const many = [...keys, ...keys.map((key) => key + 1n)];
        t.deepEqual(
          db.getMany(many),
          many.map((key) => db.get(key)),
        );
      };
      const rows = new Map(keys.map((key, i) => [key, i]));
      await db.batch(keys.map((key, i) => ({ type: 'put', key, value: { value: i } })));
      check(rows);
      await db.flush();
      check(rows);
      await db.compact();
      check(rows);
      await db.del(keys[4]);
      rows.delete(keys[4]);
      await db.put(keys[8], { value: -1 });
      rows.set(keys[8], -1);
      check(rows);
      await db.flush();
      await db.compact();
      check(rows);
    });
  }
}

test('a bigint key of a database that is closed is refused', async (t) => {
  const db = await open(join(temporaryDirectory(t), 'data'), { key: 'int64', value: 'utf8' });
  await db.put(2n ** 60n, 'x');
  await db.flush();
  t.is(db.get(2n ** 60n), 'x');
  await db.close();
  t.throws(() => db.get(2n ** 60n), { code: 'OMEN_CLOSED' });
});
