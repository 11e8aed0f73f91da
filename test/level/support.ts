/** What the tests of the Level face share. */
import type { ExecutionContext } from 'ava';
import { OmenLevel, type OmenLevelOptions } from '../../src/level.ts';
import { temporaryDirectory } from '../storage/support.ts';

export const SMALL = { entriesMax: 128, arenaBytes: 2 ** 20 };

/** A database of this test's own, open, closed when it is over. */
export async function openLevel(t: ExecutionContext, options: OmenLevelOptions = {}) {
  const level = new OmenLevel(temporaryDirectory(t), { shards: 2, threads: 1, ...options });
  t.teardown(() => level.close());
  await level.open();
  return level;
}

interface Coded {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly cause?: unknown;
}

/** The error that a promise is rejected with, or a function throws; it has to have a code. */
export async function codedError(t: ExecutionContext, run: () => unknown): Promise<Coded> {
  const error: unknown = await t.throwsAsync(async () => run());
  if (error instanceof Error && 'code' in error) return error as Error & Coded;
  throw new Error(`No error with a code: ${String(error)}`);
}
