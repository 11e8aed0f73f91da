/**
 * Directories that a command makes and removes: a database that was to be created and is not, and one
 * that nobody is to see. Only what this very process made is removed, so no file of the engine's that
 * anybody was told of; that is why it may go past the storage.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What has to be removed, to leave no trace of a directory that is going to be made. */
export interface Trace {
  /** Removes it, with all that was put into it meanwhile. */
  remove(): void;
}

/** Call it before the directory is made. */
export function traceOf(directory: string): Trace {
  const path = resolve(directory);
  if (existsSync(path)) {
    const before = new Set(readdirSync(path));
    return {
      remove: () => {
        for (const name of readdirSync(path)) {
          if (!before.has(name)) rmSync(join(path, name), { recursive: true });
        }
      },
    };
  }
  let highest = path;
  while (!existsSync(dirname(highest))) highest = dirname(highest);
  return { remove: () => rmSync(highest, { recursive: true, force: true }) };
}

/** A directory for this process alone. */
export function makeTemporary(): Trace & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'omendb-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
