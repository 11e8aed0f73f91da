/**
 * Patterns of paths, as shells have them: `*` and `?` within a name, `**` over folders, `[ab]`, `{a,b}`.
 * They are looked for through the storage, as all files are.
 */
import { join, matchesGlob, sep } from 'node:path';
import { OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

const MAGIC = /[*?[{]/;
/** Deeper than any tree of folders that is not a circle of links. */
const DEPTH_MAX = 32;

export function isPattern(path: string): boolean {
  return MAGIC.test(path);
}

/** The files that a pattern names, sorted. @throws what the storage throws, but for what is no directory */
export function pathsOf(storage: Pick<Storage, 'list'>, pattern: string): string[] {
  const parts = pattern.split(sep);
  const first = parts.findIndex(isPattern);
  const base = parts.slice(0, first).join(sep) + (first > 0 ? sep : '');
  const rest = parts.slice(first).join(sep);
  const isDeep = rest.includes('**') || /\{[^}]*\//.test(rest);
  const depth = isDeep ? DEPTH_MAX : parts.length - first;
  const found: string[] = [];
  const walk = (folder: string, left: number): boolean => {
    const names = namesOf(storage, folder === '' ? base || '.' : join(base, folder));
    if (names === null) return false;
    for (const name of names) {
      const path = join(folder, name);
      // Names that begin with a dot are found by patterns that do.
      if (name.startsWith('.') && !/(^|[/\\])\./.test(rest)) continue;
      const isFolder = left > 1 && walk(path, left - 1);
      if (!isFolder && matchesGlob(path, rest)) found.push(base + path);
    }
    return true;
  };
  walk('', depth);
  return found.sort();
}

function namesOf(storage: Pick<Storage, 'list'>, directory: string): string[] | null {
  try {
    return storage.list(directory);
  } catch (error) {
    const cause = error instanceof OmenError ? error.cause : null;
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code === 'ENOTDIR' || code === 'ENOENT' || code === 'ELOOP') return null;
    throw error;
  }
}
