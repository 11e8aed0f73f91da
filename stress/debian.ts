/** Programs of Debian's packages, unpacked into a folder of this project's. Nothing is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '..', 'node_modules', '.cache', 'omendb-stress');

/** Whether the machine has a program of its own. */
export function has(tool: string): boolean {
  return spawnSync('which', [tool], { stdio: 'ignore' }).status === 0;
}

/** The folder with what the packages have; null where they cannot be had. */
export function unpacked(packages: readonly string[]): string | null {
  const root = join(CACHE, packages[0]);
  try {
    if (!existsSync(root)) unpack(packages, root);
  } catch {
    // Another process may have been quicker.
    if (!existsSync(root)) return null;
  }
  return root;
}

/** Appears under its name when it is whole: several processes may be about it. */
function unpack(packages: readonly string[], root: string): void {
  mkdirSync(CACHE, { recursive: true });
  const aside = mkdtempSync(join(CACHE, 'unpacking-'));
  try {
    execFileSync('apt-get', ['download', ...packages], { cwd: aside, stdio: 'ignore' });
    for (const file of readdirSync(aside)) {
      execFileSync('dpkg-deb', ['-x', file, 'root'], { cwd: aside, stdio: 'ignore' });
    }
    renameSync(join(aside, 'root'), root);
  } finally {
    rmSync(aside, { recursive: true });
  }
}
