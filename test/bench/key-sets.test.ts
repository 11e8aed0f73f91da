/** The sets of keys that the index is measured on. */
import test from 'ava';
import { collect } from '../../bench/rmi/byte-set.ts';
import {
  aboutSet,
  type Key,
  type KeySet,
  keyAt,
  makeSet,
  SET_NAMES,
} from '../../bench/rmi/key-sets.ts';

/** Those that need a package which users never install. */
const PEERS = ['words'];
const COUNT = 3000;

function isAbove(key: Key, before: Key): boolean {
  if (typeof key === 'string') return Buffer.from(key).compare(Buffer.from(String(before))) > 0;
  return Buffer.isBuffer(key)
    ? key.compare(before as Buffer) > 0
    : key > (before as number | bigint);
}

function disorder(set: KeySet): number {
  for (let i = 1; i < set.count; i++) if (!isAbove(keyAt(set, i), keyAt(set, i - 1))) return i;
  return -1;
}

for (const name of SET_NAMES.filter((one) => !PEERS.includes(one))) {
  test(`the keys of "${name}" ascend, and are the same each time`, (t) => {
    const set = makeSet(name, COUNT);
    t.true(set.count > COUNT / 2 && set.count <= COUNT, `${set.count} keys`);
    t.is(disorder(set), -1);
    t.true(aboutSet(name).length > 0);
    const again = makeSet(name, COUNT);
    t.is(again.count, set.count);
    for (const i of [0, 1, set.count >>> 1, set.count - 1]) {
      t.deepEqual(keyAt(again, i), keyAt(set, i));
    }
  });
}

test('keys of every type are given as a user would pass them', (t) => {
  const first = (name: string) => keyAt(makeSet(name, COUNT), 0);
  t.is(typeof first('uniform'), 'number');
  t.is(typeof first('snowflake'), 'bigint');
  t.is(first('lowest-bits'), 2n ** 62n);
  t.is(first('extremes'), -(2n ** 63n));
  t.regex(
    String(first('uuids')),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  t.regex(
    String(first('composite')),
    /^tenant\/000000\/2026-01-01T00:\d\d:\d\d\.\d{3}Z\/sensor-\d+$/,
  );
  t.is((first('ipv6') as Buffer).length, 16);
});

test('the address ranges are those of the package', (t) => {
  const ranges = makeSet('ipv4', 1e9);
  t.is(keyAt(ranges, 0), 2 ** 24); // 1.0.0.0
  t.is(ranges.count, 411_961);
});

test('byte strings that do not ascend are refused, and long ones make room for themselves', (t) => {
  t.throws(() => collect('utf8', 3, ['a', 'c', 'b']), { message: /Key 2 is not above/ });
  t.throws(() => collect('utf8', 2, ['a', 'a']), { message: /Key 1 is not above/ });
  const long = collect('utf8', 2, [`a${'x'.repeat(10_000)}`, 'b']);
  t.is(String(keyAt(long, 0)).length, 10_001);
  t.is(keyAt(long, 1), 'b');
});
