import test from 'ava';
import fc from 'fast-check';
import { costsOf, lineNs, SEARCHED_MAX } from '../../src/rmi/cost.ts';
import { WINDOW } from '../../src/rmi/f64-index.ts';

const FORMS = ['f64', 'words', 'bytes'] as const;
const form = fc.constantFrom(...FORMS);
const keyCount = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const bytes = fc.double({ min: 0, max: 1e12, noNaN: true });

test('a line never costs less for being one of more, nor more than memory takes', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const [less, more] = a < b ? [lineNs(a), lineNs(b)] : [lineNs(b), lineNs(a)];
      return less >= 0 && less <= more && more <= lineNs(1e15);
    }),
  );
  t.true(lineNs(1e15) < 200);
});

test('a prediction farther off never costs less to search from, up to the largest told', (t) => {
  fc.assert(
    fc.property(form, keyCount, (of, count) => {
      const { search } = costsOf(of, count);
      if (search.length !== SEARCHED_MAX + 1 || search[0] !== 0) return false;
      return search.every((ns, error) => error === 0 || ns >= search[error - 1]);
    }),
  );
  t.pass();
});

test('what is read ahead costs nothing, what is beyond the window more than a step in it', (t) => {
  const { search } = costsOf('f64', 1e6);
  t.is(search[3], 0);
  t.true(search[4] > 0);
  const half = WINDOW / 2;
  t.true(search[half] - search[half - 1] > search[half - 1] - search[half - 2]);
});

test('levels and searches cost more in larger models', (t) => {
  for (const of of FORMS) {
    const small = costsOf(of, 1e4);
    const large = costsOf(of, 1e8);
    t.true(large.level > small.level, of);
    t.true(large.search[16] >= small.search[16], of);
  }
});
