/**
 * The program that makes a file system: the machine's own, or, where Debian's packages can be had, one that
 * is unpacked into a folder of this project's. Nothing is installed.
 */
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { has, unpacked } from './debian.ts';

/** What has the program, and the libraries that it needs and few machines have. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  xfs: ['xfsprogs', 'libinih1', 'liburcu8'],
};

export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Returns null where it is neither here nor to be had. */
export function findMkfs(fileSystem: string): Program | null {
  const name = `mkfs.${fileSystem}`;
  if (has(name)) return { command: name, env: process.env };
  const packages = PACKAGES[fileSystem];
  if (packages === undefined) return null;
  const root = unpacked(packages);
  if (root === null) return null;
  const [command] = globSync(`{usr/,}sbin/${name}`, { cwd: root });
  if (command === undefined) return null;
  const libraries = globSync('{usr/,}lib/*/*.so.*', { cwd: root }).map((path) => join(root, path));
  const paths = [...new Set(libraries.map(dirname))].join(':');
  return { command: join(root, command), env: { ...process.env, LD_LIBRARY_PATH: paths } };
}
