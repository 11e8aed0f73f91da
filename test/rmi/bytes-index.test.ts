import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { randomFrom, TEXT_SETS, textKeys } from '../../bench/text-datasets.ts';
import {
  BytesIndex,
  bytesReadsOf,
  candidatesOf,
  checkModel,
  descendBytes,
  type Model,
  modelBytes,
  trainBytes,
} from '../../src/rmi/index.ts';
import {
  copyOf,
  hashBytes,
  type KeyBytes,
  type KeyMemory,
  keyMemory,
} from '../../src/schema/key-bytes.ts';

interface Column {
  readonly memory: KeyMemory;
  readonly offsets: Int32Array;
  readonly keys: readonly Buffer[];
}

/** Sorted and distinct, in shared memory. */
function columnOf(keys: readonly Uint8Array[]): Column {
  const sorted = keys.map((key) => Buffer.from(key)).sort(Buffer.compare);
  const distinct = sorted.filter((key, i) => i === 0 || !key.equals(sorted[i - 1]));
  const offsets = new Int32Array(distinct.length + 1);
  for (const [i, key] of distinct.entries()) offsets[i + 1] = offsets[i] + key.length;
  const memory = keyMemory(new SharedArrayBuffer(offsets[distinct.length]));
  for (const [i, key] of distinct.entries()) memory.buffer.set(key, offsets[i]);
  return { memory, offsets, keys: distinct };
}

function lowerBoundOf(keys: readonly Buffer[], key: Buffer): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(keys[middle], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A key amid other bytes, so that one read beyond its ends goes wrong. */
function keyBytes(key: Uint8Array): KeyBytes {
  const { memory } = copyOf(Buffer.concat([Buffer.of(0xa5), key, Buffer.of(0xa5, 0xa5)]));
  return { memory, start: 1, end: 1 + key.length };
}

/** `find`, which takes a key's hash. */
function findIn(index: BytesIndex, key: KeyBytes): number {
  return index.find(key, hashBytes(key.memory, key.start, key.end));
}

function indexOf({ memory, offsets, keys }: Column, model: Model): BytesIndex {
  return new BytesIndex(memory, offsets, keys.length, model);
}

function trained({ memory, offsets, keys }: Column): Model {
  return trainBytes(memory, offsets, keys.length);
}

/** Keys beside a key: longer, shorter, with another byte somewhere. */
function* near(key: Buffer, random: () => number): Generator<Buffer> {
  yield key;
  yield Buffer.concat([key, Buffer.of(0)]);
  yield Buffer.concat([key, Buffer.of(255)]);
  yield key.subarray(0, -1);
  yield key.subarray(0, Math.floor(random() * key.length));
  const changed = Buffer.from(key);
  if (key.length > 0) changed[Math.floor(random() * key.length)] += random() < 0.5 ? 1 : 255;
  yield changed;
}

/** Looks up every key, and what lies beside it. Fails with the first wrong answers. */
function everyKeyIsFound(t: ExecutionContext, column: Column, model = trained(column)): Model {
  const { keys } = column;
  checkModel(model, keys.length);
  const index = indexOf(column, model);
  const random = randomFrom(1);
  const wrong: string[] = [];
  const probe = (key: Buffer): void => {
    const expected = lowerBoundOf(keys, key);
    const found = expected < keys.length && keys[expected].equals(key) ? expected : -1;
    const given = keyBytes(key);
    if (index.lowerBound(given) === expected && findIn(index, given) === found) return;
    wrong.push(`${key.toString('hex')}: ${index.lowerBound(given)} instead of ${expected}`);
  };
  for (const key of keys) for (const each of near(key, random)) probe(each);
  for (const far of ['', '00', 'ff', 'ffffffffffffffffff', '7f', '80'])
    probe(Buffer.from(far, 'hex'));
  t.deepEqual(wrong.slice(0, 3), []);
  return model;
}

/** Three bytes a key, and a node of separators on every level. */
function bytesMax({ keys }: Column): number {
  return 3 * keys.length + 16 * 1024;
}

for (const name of TEXT_SETS) {
  test(`every key of "${name}" is found, and absent ones at their lower bound`, (t) => {
    const column = columnOf(textKeys(name, 20_000));
    const model = everyKeyIsFound(t, column);
    t.true(modelBytes(model) <= bytesMax(column), `${modelBytes(model)} bytes`);
    t.true(model.windowMax <= 2 * model.epsilon + 1, `${model.windowMax}`);
  });
}

test('any keys are searched exactly: of few bytes, that begin alike, that begin one another', (t) => {
  const ends = fc.oneof(
    fc.uint8Array({ maxLength: 10 }),
    fc.array(fc.constantFrom(0, 1, 255), { maxLength: 30 }).map((key) => Uint8Array.from(key)),
    fc.nat({ max: 300 }).map((length) => new Uint8Array(length)),
    fc.nat({ max: 300 }).map((length) => new Uint8Array(length).fill(97)),
  );
  const starts = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(starts, fc.array(ends, { maxLength: 400, size: 'max' }), (heads, tails) => {
      const keys = tails.map((tail, i) => Buffer.concat([heads[i % heads.length], tail]));
      everyKeyIsFound(t, columnOf(keys));
    }),
    { numRuns: 60 },
  );
});

test('keys that begin one another share a leaf where no level tells them apart', (t) => {
  const column = columnOf(Array.from({ length: 3000 }, (_, i) => new Uint8Array(i).fill(97)));
  const model = everyKeyIsFound(t, column);
  t.true(model.depth <= 16 && model.windowMax > 2 * model.epsilon + 1);
  t.true(modelBytes(model) <= bytesMax(column), `${modelBytes(model)} bytes`);
});

test('a beginning of sixty thousand bytes is skipped', (t) => {
  const start = new Uint8Array(60_000).fill(120);
  const keys = Array.from({ length: 200 }, (_, i) => Buffer.concat([start, Buffer.from(`${i}`)]));
  const column = columnOf(keys);
  const model = trained(column);
  t.is(model.depth <= 2, true);
  const index = indexOf(column, model);
  for (const [i, key] of column.keys.entries()) t.is(findIn(index, keyBytes(key)), i);
  for (const [other, position] of [
    ['w', 0],
    ['y', 200],
  ] as const) {
    t.is(index.lowerBound(keyBytes(Buffer.from(other))), position);
  }
});

test('no keys and one key are legal, and so is the empty key', (t) => {
  const none = new BytesIndex(keyMemory(new ArrayBuffer(0)), new Int32Array(1), 0, null);
  t.is(findIn(none, keyBytes(Buffer.from('a'))), -1);
  t.is(none.lowerBound(keyBytes(Buffer.from('a'))), 0);
  for (const key of ['', '\0', 'a', 'abcdefghijklmnopqrstuvwxyz'])
    everyKeyIsFound(t, columnOf([Buffer.from(key)]));
});

test('keys out of order and keys twice are refused, naming the row', (t) => {
  for (const keys of [
    ['a', 'b', 'b'],
    ['a', 'ab', 'a\0'],
    ['', 'b', 'a'],
  ]) {
    const { memory } = copyOf(Buffer.from(keys.join('')));
    const ends = keys.map((_, i) => keys.slice(0, i + 1).join('').length);
    const train = () => trainBytes(memory, Int32Array.of(0, ...ends), keys.length);
    t.throws(train, { code: 'OMEN_CORRUPT', message: /row 2/ });
  }
});

test('a model of other keys makes no answer wrong', (t) => {
  const column = columnOf(textKeys('urls', 3000));
  for (const name of TEXT_SETS) {
    const other = columnOf(textKeys(name, 4000));
    const count = Math.min(column.keys.length, other.keys.length);
    const model = trainBytes(other.memory, other.offsets, count);
    const index = new BytesIndex(column.memory, column.offsets, count, model);
    for (let i = 0; i < count; i++) {
      if (findIn(index, keyBytes(column.keys[i])) !== i)
        t.fail(`key ${i} with the model of ${name}`);
    }
  }
  t.pass();
});

test('a damaged model is refused, or still gives right answers', (t) => {
  let refused = 0;
  for (const name of TEXT_SETS) {
    const column = columnOf(textKeys(name, 2000));
    const model = trained(column);
    for (let seed = 1; seed <= 80; seed++) {
      const random = randomFrom(seed);
      const damaged = structuredClone(model);
      const copies = [model.cells, model.nodes, model.code].map((array) => {
        const memory = new SharedArrayBuffer(array.byteLength);
        new Uint8Array(memory).set(new Uint8Array(array.buffer));
        return memory;
      });
      const [cells, nodes, code] = copies;
      const bytes = new Uint8Array(copies[Math.floor(random() * 2.3)]);
      bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(8 * random());
      const changed: Model = {
        ...damaged,
        cells: new Uint32Array(cells),
        nodes: new Float64Array(nodes),
        code: new Uint16Array(code),
      };
      try {
        checkModel(changed, column.keys.length);
      } catch {
        refused++;
        continue;
      }
      const index = indexOf(column, changed);
      for (let i = 0; i < 100; i++) {
        const position = Math.floor(random() * column.keys.length);
        const key = column.keys[position];
        if (findIn(index, keyBytes(key)) !== position) t.fail(`${name}, seed ${seed}: ${key}`);
        const absent = Buffer.concat([key, Buffer.of(1)]);
        if (index.lowerBound(keyBytes(absent)) !== lowerBoundOf(column.keys, absent)) {
          t.fail(`${name}, seed ${seed}: ${absent}`);
        }
      }
    }
  }
  t.true(refused > 50, `only ${refused} refused`);
});

/** The offsets, and which of them were read since `reads` was emptied. */
function watched(offsets: Int32Array) {
  const reads: number[] = [];
  const spied = new Proxy(offsets, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) reads.push(Number(name));
      return Reflect.get(target, name, target);
    },
  });
  return { spied, reads };
}

for (const name of TEXT_SETS) {
  test(`of "${name}" is told what the search of bytes does`, (t) => {
    for (const size of [1, 2, 17, 3000]) {
      const column = columnOf(textKeys(name, size, 3));
      const { memory, offsets, keys } = column;
      const count = keys.length;
      const model = trained(column);
      const { spied, reads } = watched(offsets);
      const index = new BytesIndex(memory, spied, count, model);
      const random = randomFrom(size);
      for (let i = 0; i < 60; i++) {
        for (const probe of near(keys[Math.floor(random() * count)], random)) {
          const key = keyBytes(probe);
          const hash = hashBytes(key.memory, key.start, key.end);
          const { path, predicted } = descendBytes(model, memory, offsets, key);
          reads.length = 0;
          t.is(predicted, index.predict(key));
          const before = reads.length;
          t.is(path[0].node, 0);
          t.true(path.length <= model.depth);
          t.true(path.every(({ cell, cells }) => cell < cells));
          const { first, positions } = candidatesOf(model, key, hash);
          t.true(first >= 0 && first % 4 === 0 && (first === 0 || first < count));
          const guessed = index.guess(key);
          reads.length = 0;
          const isThere = index.findFrom(key, hash, guessed) >= 0;
          const position = lowerBoundOf(keys, probe);
          const told = bytesReadsOf(count, predicted, position, isThere, positions);
          // Each comparison reads where its key starts and where it ends; the search predicts first.
          const isSearched = !isThere || !positions.includes(position);
          const searched = 2 * positions.length;
          if (isSearched) reads.splice(searched, before);
          t.deepEqual(
            told,
            reads.filter((_, at) => at % 2 === 0),
            `${probe} of ${count}`,
          );
          const error = Math.abs(predicted - position);
          const compared = isSearched ? told.length - positions.length : 1;
          t.true(compared <= 2 * Math.log2(Math.max(error, 1)) + 4);
        }
      }
    }
  });
}
