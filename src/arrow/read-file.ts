/** What both readers of this folder do to a file that may be damaged. */
import { CORRUPT_ADVICE, OmenError } from '../errors.ts';
import { sharedMemory } from '../shared-memory.ts';
import type { StorageFile } from '../storage/storage.ts';

/** The error for a damaged file: `offset` is the first byte of what could not be accepted. */
export function corruptFile(path: string, offset: number, what: string): OmenError {
  return new OmenError(
    'OMEN_CORRUPT',
    `${path} is damaged at byte ${offset}: ${what}. ${CORRUPT_ADVICE}`,
  );
}

/** The length of `file`, which must be `expected` where that is known. */
export function checkSize(path: string, file: StorageFile, expected: number | null): number {
  const actual = file.size();
  if (expected !== null && actual !== expected) {
    const what = `it has ${actual} bytes and should have ${expected}`;
    throw corruptFile(path, Math.min(actual, expected), what);
  }
  return actual;
}

/** Fills `target` from `position`; that the file ends before is damage. */
export function readExactly(
  path: string,
  file: StorageFile,
  position: number,
  target: Uint8Array,
): void {
  const count = file.read(target, position);
  if (count < target.length) throw corruptFile(path, position + count, 'the file ends early');
}

/** Shared memory for `bytes` bytes of `path`. */
export function allocateShared(path: string, bytes: number): Uint8Array<SharedArrayBuffer> {
  try {
    return new Uint8Array(sharedMemory(bytes));
  } catch (cause) {
    const message = `There is no memory for ${bytes} bytes of ${path}. Free some, or lower "memory".`;
    throw new OmenError('OMEN_MEMORY_FULL', message, { cause });
  }
}
