import test from 'ava';
import { parseSchema } from '../../src/schema/schema.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { sortEntries } from '../../src/view/tail.ts';
import { newHandle, newSeed, randomFrom, TestMemtable } from './support.ts';

const BINARY = parseSchema({ key: 'binary', columns: { n: 'float64' } });

/** The keys of a memtable in the order of its sorted entries, each with its entry. */
function sortedEntries(keys: readonly Uint8Array[]): { memtable: TestMemtable; found: number[] } {
  const bytes = keys.reduce((sum, key) => sum + key.length + 64, 4096);
  const shape = { entriesMax: Math.max(64, keys.length), arenaBytes: Math.ceil(bytes / 8) * 8 };
  const memtable = new TestMemtable(BINARY, CommitTable.empty(), newHandle(shape, true));
  const entries = keys.map((key) => memtable.append(key, { n: 0 }));
  memtable.publish();
  return { memtable, found: [...sortEntries(memtable.reader, entries).offsets] };
}

/** What is wrong with the order, or null: by bytes, versions of a key oldest first. */
function faultOf(keys: readonly Uint8Array[]): string | null {
  const { memtable, found } = sortedEntries(keys);
  if (new Set(found).size !== keys.length) return 'an entry is there twice';
  const { reader } = memtable;
  const keyOf = (entry: number) =>
    reader.bytes.subarray(reader.keyAt(entry), reader.keyAt(entry) + reader.keyBytes(entry));
  for (let i = 1; i < found.length; i++) {
    const order = Buffer.compare(keyOf(found[i - 1]), keyOf(found[i])) || found[i - 1] - found[i];
    if (order >= 0) return `${keyOf(found[i - 1]).toString('hex')} is before its successor`;
  }
  return null;
}

test('entries are in the order of their bytes, whatever they share, versions oldest first', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const draw = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < 60; round++) {
    const heads = Array.from({ length: 1 + draw(4) }, () =>
      Uint8Array.from({ length: draw(60) }, () => draw(2)),
    );
    const alphabet = [2, 3, 256][draw(3)];
    const longest = [3, 12, 40][draw(3)];
    const keys = Array.from({ length: 1 + draw(1500) }, () => {
      const tail = Uint8Array.from({ length: draw(longest) }, () => draw(alphabet));
      return Buffer.concat([heads[draw(heads.length)], tail]);
    });
    t.is(faultOf(keys), null, `seed ${seed}, round ${round}`);
  }
});

test('keys that begin one another are sorted, and so are versions of one key', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const keys = Array.from({ length: 2000 }, () => new Uint8Array(Math.floor(random() * 900)));
  t.is(faultOf(keys), null, `seed ${seed}`);
  t.is(faultOf(Array.from({ length: 1000 }, () => Uint8Array.of(1, 2, 3))), null);
  t.is(faultOf(Array.from({ length: 1000 }, () => new Uint8Array(100))), null);
  t.is(faultOf([]), null);
});

test('keys that share tens of thousands of bytes are sorted by what follows', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const head = new Uint8Array(60_000).fill(9);
  const keys = Array.from({ length: 300 }, () => {
    return Buffer.concat([head, Buffer.from(`${Math.floor(random() * 1e6)}`)]);
  });
  t.is(faultOf(keys), null, `seed ${seed}`);
});
