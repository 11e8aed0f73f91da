import test from 'ava';
import fc from 'fast-check';
import { randomFrom } from '../../bench/datasets.ts';
import { costsOf } from '../../src/rmi/cost.ts';
import {
  cheapestDivision,
  evenBytes,
  fineCells,
  KEYS_PER_FINE_CELL,
  KEYS_PER_SEPARATOR,
  separatedCells,
  separatedNs,
  WIDTH_MAX,
} from '../../src/rmi/grid.ts';

const LIMITS = { keysMin: 64, errorMax: 32 };

/** The fine grid over places in [0, 1), ascending. */
function gridOf(places: readonly number[]): { table: Uint32Array; cells: number } {
  const cells = fineCells(places.length);
  const table = new Uint32Array(cells + 1).fill(places.length);
  for (let p = places.length - 1; p >= 0; p--) {
    for (let cell = Math.floor(places[p] * cells); cell >= 0 && table[cell] > p; cell--)
      table[cell] = p;
  }
  return { table, cells };
}

function widthOf(places: readonly number[], keyCount: number, bytesMax = Infinity): number | null {
  const { table, cells } = gridOf(places);
  const costs = costsOf('f64', keyCount);
  return cheapestDivision(table, 0, cells, bytesMax, costs, LIMITS)?.width ?? null;
}

function randomPlaces(count: number, seed: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => random()).sort((a, b) => a - b);
}

test('even keys get the widest cells', (t) => {
  const even = Array.from({ length: 100_000 }, (_, i) => i / 100_000);
  t.is(widthOf(even, 100_000), WIDTH_MAX);
});

test('random keys get cells of a middling width, wider ones in a larger model', (t) => {
  const places = randomPlaces(100_000, 1);
  const widths = [1e5, 1e6, 1e7, 1e9].map((keyCount) => widthOf(places, keyCount) ?? 0);
  t.deepEqual(
    widths,
    widths.toSorted((a, b) => a - b),
  );
  t.true(widths[0] >= 1 && widths[3] > widths[0] && widths[3] < WIDTH_MAX, widths.join());
});

test('keys that all fall into one cell are not divided by width, and are by separators', (t) => {
  const places = Array.from({ length: 10_000 }, (_, i) => i * 1e-12);
  t.is(widthOf(places, 10_000), null);
  t.true(Number.isFinite(separatedNs(10_000, costsOf('f64', 10_000), LIMITS)));
});

test('a division takes no more memory than there is, and no key to itself', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 65, max: 5000 }),
      fc.nat(),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.double({ min: 1, max: 8, noNaN: true }),
      (count, seed, bytesPerKey, power) => {
        const places = randomPlaces(count, seed).map((place) => place ** power);
        const cells = fineCells(count);
        const width = widthOf(places, count, bytesPerKey * count);
        if (width === null) return true;
        const left = cells / width;
        return Number.isInteger(left) && left >= 2 && evenBytes(left) <= bytesPerKey * count;
      },
    ),
  );
  t.is(widthOf(randomPlaces(1000, 1), 1000, 10), null);
});

test('a fine grid has a cell for some sixteen keys, and can be made as coarse as there are widths', (t) => {
  for (let count = 65; count < 10_000; count += 7) {
    const cells = fineCells(count);
    t.true(cells >= count / KEYS_PER_FINE_CELL && cells <= count / KEYS_PER_FINE_CELL + WIDTH_MAX);
    t.is(cells % 8, 0);
  }
});

test('separators are a power of two less one, and have some ten keys between them at least', (t) => {
  for (let count = 65; count < 5000; count++) {
    const cells = separatedCells(count);
    t.is(cells & (cells - 1), 0);
    t.true(cells >= 2 && count / cells >= KEYS_PER_SEPARATOR / 2, `${cells} for ${count}`);
  }
});
