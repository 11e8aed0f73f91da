/** Programs of Debian's packages, unpacked into a folder of this project's. Nothing is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const CACHE = join(import.meta.dirname, '..', 'node_modules', '.cache', 'omendb-stress');

export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The machine's own program of that name, or else that of packages.
 * @param packages what has it, and the libraries that it needs and few machines have
 * @param folder where in them it is; a pattern
 * @returns null where it is neither here nor to be had
 */
export function findProgram(
  name: string,
  packages: readonly string[],
  folder = '{usr/,}{s,}bin',
): Program | null {
  const own = pathOf(name);
  if (own !== null) return { command: own, env: process.env };
  const root = unpacked(packages);
  if (root === null) return null;
  const [command] = globSync(`${folder}/${name}`, { cwd: root });
  if (command === undefined) return null;
  const libraries = globSync('{usr/,}lib/*/*.so.*', { cwd: root }).map((path) => join(root, path));
  const paths = [...new Set(libraries.map(dirname))].join(':');
  return { command: join(root, command), env: { ...process.env, LD_LIBRARY_PATH: paths } };
}

function pathOf(tool: string): string | null {
  const { status, stdout } = spawnSync('which', [tool], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** A package, and what it needs of those that the machine has not. */
export function withDependencies(name: string): string[] {
  const simulated = ['install', '--print-uris', '-qq', '--no-install-recommends', name];
  const { stdout } = spawnSync('apt-get', simulated, { encoding: 'utf8' });
  // A line each: where it is, and the file's name, which begins with the package's.
  const files = (stdout ?? '').split('\n').map((line) => line.split(' ')[1] ?? '');
  const others = files.map((file) => file.split('_')[0]).filter((other) => other !== '');
  return [...new Set([name, ...others])];
}

/** The folder with what the packages have; null where they cannot be had. */
function unpacked(packages: readonly string[]): string | null {
  if (packages.length === 0) return null;
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
