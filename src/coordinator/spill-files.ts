/**
 * Files that a bulk load has beside the shards for as long as it lasts: sorted runs that do not fit into its
 * memory. Nothing in the database refers to them. They are removed when the load ends, or, where the process
 * was killed, at the next open.
 */
import { join } from 'node:path';
import { OmenError } from '../errors.ts';
import { removeLeftover, type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';

const NAME = /^load-([0-9a-f]{16})-\d+-\d+\.tmp$/;

export function spillName(load: string, shard: number, number: number): string {
  return `load-${load}-${shard}-${number}${TEMPORARY_SUFFIX}`;
}

/**
 * Removes what there is of a load's files, or of any, as far as that can be done.
 * @param path the directory of the database
 */
export function removeSpilled(storage: Storage, path: string, load: string | null = null): void {
  let names: string[];
  try {
    names = storage.list(path);
  } catch (error) {
    if (error instanceof OmenError) return;
    throw error;
  }
  for (const name of names) {
    const match = NAME.exec(name);
    if (match !== null && (load ?? match[1]) === match[1])
      removeLeftover(storage, join(path, name));
  }
}
