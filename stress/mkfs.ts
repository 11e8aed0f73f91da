/**
 * The program that makes a file system: the machine's own, or, where Debian's packages can be had, one that
 * is unpacked into a folder of this project's. Nothing is installed.
 */
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
/** What has the program, and the libraries that it needs and few machines have. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  xfs: ['xfsprogs', 'libinih1', 'liburcu8'],
};

export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

function has(tool: string): boolean {
  return spawnSync('which', [tool], { stdio: 'ignore' }).status === 0;
}

/** Returns null where it is neither here nor to be had. */
export function findMkfs(fileSystem: string): Program | null {
  const name = `mkfs.${fileSystem}`;
  if (has(name)) return { command: name, env: process.env };
  const packages = PACKAGES[fileSystem];
  if (packages === undefined) return null;
  const root = join(CACHE, packages[0]);
  try {
    if (!existsSync(root)) unpack(packages, root);
  } catch {
    // Another process may have been quicker.
    if (!existsSync(root)) return null;
  }
  const [command] = globSync(`{usr/,}sbin/${name}`, { cwd: root });
  if (command === undefined) return null;
  const libraries = globSync('{usr/,}lib/*/*.so.*', { cwd: root }).map((path) => join(root, path));
  const paths = [...new Set(libraries.map(dirname))].join(':');
  return { command: join(root, command), env: { ...process.env, LD_LIBRARY_PATH: paths } };
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
