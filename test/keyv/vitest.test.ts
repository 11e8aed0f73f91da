/** What stands in for Vitest has to fail where Vitest would. */
import test from 'ava';
import { casesOf } from './vitest.ts';

interface Stand {
  beforeEach(hook: () => unknown): void;
  afterEach(hook: () => unknown): void;
  it(name: string, body: (context: { expect: Loose }) => unknown): void;
}

type Loose = ((actual: unknown) => Record<string, (expected?: unknown) => void>) & {
  assertions(count: number): void;
};

const caseOf = (body: (expect: Loose) => unknown) =>
  casesOf((vitest) => (vitest as Stand).it('one', ({ expect }) => body(expect)))[0];

const HOLD: readonly [string, unknown, unknown?][] = [
  ['toBe', Number.NaN, Number.NaN],
  ['toEqual', { a: [1, Buffer.from('b')] }, { a: [1, Buffer.from('b')] }],
  ['toBeTruthy', 'x'],
  ['toBeFalsy', 0],
  ['toBeUndefined', undefined],
  ['toBeDefined', null],
  ['toBeNull', null],
];

const FAIL: readonly [string, unknown, unknown?][] = [
  ['toBe', 0, -0],
  ['toBe', {}, {}],
  ['toEqual', { a: 1 }, { a: '1' }],
  ['toEqual', [undefined], []],
  ['toBeTruthy', ''],
  ['toBeFalsy', []],
  ['toBeUndefined', null],
  ['toBeDefined', undefined],
  ['toBeNull', undefined],
  ['toBeWhatNobodyKnows', 1],
];

test('matchers hold of what they should, and of nothing else', async (t) => {
  for (const [matcher, actual, expected] of HOLD) {
    await t.notThrowsAsync(caseOf((expect) => expect(actual)[matcher](expected)).run(), matcher);
  }
  for (const [matcher, actual, expected] of FAIL) {
    await t.throwsAsync(
      caseOf((expect) => expect(actual)[matcher](expected)).run(),
      undefined,
      matcher,
    );
  }
});

test('a test that announces its assertions has to make them', async (t) => {
  const counting = (announced: number) =>
    caseOf((expect) => {
      expect.assertions(announced);
      expect(1).toBe(1);
    }).run();
  await t.notThrowsAsync(counting(1));
  await t.throwsAsync(counting(2));
});

test('all hooks run around every test, and after one that fails, too', async (t) => {
  const steps: string[] = [];
  const cases = casesOf((vitest) => {
    const { beforeEach, afterEach, it } = vitest as Stand;
    beforeEach(() => steps.push('before 1'));
    it('fails', () => {
      steps.push('test');
      throw new Error('It does.');
    });
    beforeEach(async () => steps.push('before 2'));
    afterEach(() => steps.push('after 1'));
    afterEach(() => steps.push('after 2'));
  });
  await t.throwsAsync(cases[0].run(), { message: 'It does.' });
  t.deepEqual(steps, ['before 1', 'before 2', 'test', 'after 2', 'after 1']);
});
