/** What tests of storage and log share. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { OmenError } from '../../src/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';

/** A directory of this test's own, removed when it is over. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * The code of the OmenError that `run` throws, '' when it throws none; other errors pass through.
 */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OmenError) return error.code;
    throw error;
  }
  return '';
}

export function bytes(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i * 7);
}

export function contentOf(storage: Storage, path: string): Uint8Array {
  const file = storage.open(path, 'read');
  try {
    const content = new Uint8Array(file.size());
    file.read(content, 0);
    return content;
  } finally {
    file.close();
  }
}
