/** The program that makes a file system. */
import { findProgram, type Program } from './debian.ts';

const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  xfs: ['xfsprogs', 'libinih1', 'liburcu8'],
};

/** Returns null where it is neither here nor to be had. */
export function findMkfs(fileSystem: string): Program | null {
  return findProgram(`mkfs.${fileSystem}`, PACKAGES[fileSystem] ?? []);
}
