/** The designs that our index is measured against: they must be what they say they are. */
import test from 'ava';
import fc from 'fast-check';
import { randomFrom } from '../../bench/datasets.ts';
import { field } from '../../bench/rmi/contenders/field.ts';
import { freshLoops } from '../../bench/rmi/contenders/loops.ts';
import { Pgm } from '../../bench/rmi/contenders/pgm.ts';
import { distancesOf, type Predictor } from '../../bench/rmi/contenders/predictor.ts';
import { RadixTable } from '../../bench/rmi/contenders/radix-table.ts';
import { CubicRmi, LinearRmi } from '../../bench/rmi/contenders/two-level-rmi.ts';
import { makeSet } from '../../bench/rmi/key-sets.ts';
import { trainSubject } from '../../bench/rmi/subject.ts';

const DESIGNS: Readonly<Record<string, (keys: Float64Array) => Predictor>> = {
  'linear RMI': (keys) => new LinearRmi(keys, Math.ceil(keys.length / 8)),
  'cubic RMI': (keys) => new CubicRmi(keys, Math.ceil(keys.length / 8)),
  'radix table': (keys) => new RadixTable(keys, 5),
  PGM: (keys) => new Pgm(keys, 4),
};

/** Distances of some keys from the first of them: even stretches, and jumps of any size. */
const distances = fc
  .array(
    fc.oneof(
      fc.integer({ min: 1, max: 5 }),
      fc.maxSafeNat().map((gap) => gap + 1),
    ),
    {
      minLength: 0,
      maxLength: 300,
    },
  )
  .map((gaps) => {
    let key = 0;
    return Float64Array.from([0, ...gaps.map((gap) => (key += gap))]);
  });

for (const [name, make] of Object.entries(DESIGNS)) {
  test(`a ${name} stands by its radius for every key, on any keys`, (t) => {
    fc.assert(
      fc.property(distances, (keys) => {
        const model = make(keys);
        keys.forEach((key, position) => {
          const predicted = model.predict(key);
          if (!Number.isInteger(predicted) || predicted < 0)
            throw new Error(`predicts ${predicted}`);
          const error = Math.abs(predicted - position);
          if (error > model.radius) throw new Error(`off by ${error}, beyond ${model.radius}`);
        });
      }),
    );
    t.pass();
  });
}

/** Lines of the PGM's lowest level; a line is three doubles, and one ends the level. */
function lowestLines(keys: Float64Array, epsilon: number): number {
  const one = new Pgm(keys, epsilon);
  return one.bytes / 24;
}

/** As many lines as the simplest way takes: a cone that shrinks with each key. */
function greedyLines(keys: Float64Array, epsilon: number): number {
  let lines = 0;
  for (let p = 0; p < keys.length; lines++) {
    const start = p;
    let low = -Infinity;
    let high = Infinity;
    for (p++; p < keys.length; p++) {
      const x = keys[p] - keys[start];
      if ((p - start) / x > high || (p - start) / x < low) break;
      low = Math.max(low, (p - start - epsilon) / x);
      high = Math.min(high, (p - start + epsilon) / x);
    }
  }
  return lines;
}

test('a PGM is within ε, give or take the rounding, in fewer lines than a greedy cone', (t) => {
  const random = randomFrom(5);
  let key = 0;
  const keys = Float64Array.from(
    { length: 20_000 },
    () => (key += 1 + Math.floor(50 * random() ** 4)),
  );
  const model = new Pgm(keys, 8);
  t.true(model.radius <= 9, `radius ${model.radius}`);
  t.true(lowestLines(keys, 8) < greedyLines(keys, 8));
  const even = Float64Array.from({ length: 1000 }, (_, i) => 3 * i);
  t.is(lowestLines(even, 1), 2);
});

for (const name of ['uniform', 'outliers', 'powers-of-two', 'osm', 'extremes']) {
  test(`every contender finds every key of "${name}", and all agree`, async (t) => {
    const set = makeSet(name, 5000);
    if (set.form === 'bytes') return t.fail();
    const [subject] = trainSubject(set, 1000);
    const seen: string[] = [];
    const rivals = await field(subject, false, (rival) => seen.push(rival));
    t.is(rivals.length, seen.length);
    t.is(rivals[0].design, 'omendb');
    t.is(rivals[1].design, 'binary');
    const sum = subject.positions.reduce((a, b) => a + b, 0);
    t.is((await freshLoops(subject))('random').oursInBatches()(0, 1000), sum);
    for (const { design, size, contender } of rivals)
      t.is(contender(0, 1000), sum, `${design}, ${size}`);
  });
}

test('distances count from the first key, in words as in numbers', (t) => {
  const set = makeSet('lowest-bits', 100);
  if (set.form !== 'words') return t.fail();
  t.deepEqual(
    [...distancesOf(set)],
    Array.from({ length: 100 }, (_, i) => i),
  );
});
