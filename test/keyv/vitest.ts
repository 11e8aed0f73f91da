/**
 * As much of Vitest as `@keyv/test-suite` is written for: it takes the module as a parameter. Hooks run
 * around every test of the file, whichever suite they come from, as Vitest runs those of a file's top
 * level; the matchers are those that the suite uses, none laxer than Vitest's. One that is not here is
 * undefined, so that a test which calls it fails.
 */
import assert from 'node:assert/strict';

type Hook = () => unknown;
type Body = (context: { readonly expect: Expect }) => unknown;

export interface Case {
  readonly name: string;
  run(): Promise<void>;
}

interface Matchers {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toBeTruthy(): void;
  toBeFalsy(): void;
  toBeUndefined(): void;
  toBeDefined(): void;
  toBeNull(): void;
}

interface Expect {
  (actual: unknown): Matchers;
  /** At the end of the test, so many have to have been made. */
  assertions(count: number): void;
}

function matchersOf(actual: unknown): Matchers {
  return {
    toBe: (expected) => assert.ok(Object.is(actual, expected), `${actual} is not ${expected}`),
    toEqual: (expected) => assert.deepEqual(actual, expected),
    toBeTruthy: () => assert.ok(actual),
    toBeFalsy: () => assert.ok(!actual),
    toBeUndefined: () => assert.equal(actual, undefined),
    toBeDefined: () => assert.notEqual(actual, undefined),
    toBeNull: () => assert.equal(actual, null),
  };
}

async function runCase(body: Body, before: readonly Hook[], after: readonly Hook[]): Promise<void> {
  let made = 0;
  let announced: number | null = null;
  const expect: Expect = Object.assign(
    (actual: unknown) => {
      made++;
      return matchersOf(actual);
    },
    { assertions: (count: number) => (announced = count) },
  );
  for (const hook of before) await hook();
  try {
    await body({ expect });
  } finally {
    // Vitest runs them in the reverse order of their registration.
    for (const hook of after.toReversed()) await hook();
  }
  if (announced !== null) assert.equal(made, announced, 'the number of assertions');
}

/** The tests that `suite` registers. */
export function casesOf(suite: (vitest: unknown) => void): Case[] {
  const before: Hook[] = [];
  const after: Hook[] = [];
  const cases: Case[] = [];
  suite({
    beforeEach: (hook: Hook) => before.push(hook),
    afterEach: (hook: Hook) => after.push(hook),
    it: (name: string, body: Body) => cases.push({ name, run: () => runCase(body, before, after) }),
  });
  return cases;
}
