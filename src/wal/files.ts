/**
 * The names of WAL files, and which of them a directory holds. Reads only.
 */

import { join } from 'node:path';
import { CORRUPT_ADVICE, isDamage, OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Dropped } from './commit-log.ts';
import { BLOCK_BYTES, type WalHeader, type WalIdentity } from './header.ts';
import { readHeader, rescueHeader } from './reader.ts';

const FILE_NAME = /^wal-(\d{10})\.log$/;
const LEFTOVER_NAME = /^wal-(\d{10}\.log\.tmp|recycled)$/;

/** An obsolete file, to be overwritten by the next new one. */
export const RECYCLED_NAME = 'wal-recycled';

export interface LogFile {
  readonly name: string;
  readonly header: WalHeader;
}

export interface FoundFiles {
  /** Oldest first. */
  readonly files: LogFile[];
  /** Files that are missing or cannot be read at all. */
  readonly dropped: readonly Dropped[];
  /** Names of files of no use: damaged ones that nothing is needed of, and those before them. */
  readonly useless: readonly string[];
  /** The highest sequence number ever seen here. */
  readonly sequence: number;
}

export function fileName(sequence: number): string {
  return `wal-${String(sequence).padStart(10, '0')}.log`;
}

/** The number of a log file of this name, or null: it is none. */
export function sequenceOf(name: string): number | null {
  const match = FILE_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

/** Whether a file of this name is of no use to a process that did not make it itself. */
export function isLeftover(name: string): boolean {
  return LEFTOVER_NAME.test(name);
}

export interface FindOptions {
  /** Names of files that must be there. */
  readonly required: readonly string[];
  /** Names of damaged files that are to be put aside: nobody reads them. */
  readonly setAside: readonly string[];
  readonly salvage: boolean;
  /** The first record that is needed: files of earlier ones are kept for followers alone. */
  readonly neededLsn: number;
}

/**
 * Finds the log's files and reads their headers. Throws OMEN_CORRUPT where one of `required` is
 * missing or any is damaged, unless salvaging; then `dropped` has them.
 */
export function findFiles(
  storage: Storage,
  directory: string,
  identity: WalIdentity,
  { required, setAside, salvage, neededLsn }: FindOptions,
): FoundFiles {
  const names = storage.list(directory);
  const files: LogFile[] = [];
  const dropped: Dropped[] = [];
  const useless: string[] = [];
  /** Those that cannot be read, of which the files behind them may show that they are not needed. */
  let damaged: { readonly name: string; readonly error: OmenError }[] = [];
  let sequence = 0;
  for (const name of new Set([...names, ...required].sort())) {
    const number = sequenceOf(name);
    if (number === null) continue;
    sequence = number;
    if (setAside.includes(name)) continue;
    const path = join(directory, name);
    const isThere = names.includes(name);
    const add = (header: WalHeader) => {
      if (header.firstLsn < (files.at(-1)?.header.firstLsn ?? 0)) {
        const what = 'it begins before the file that precedes it';
        throw new OmenError(
          'OMEN_CORRUPT',
          `${path} is damaged at offset 40: ${what}. ${CORRUPT_ADVICE}`,
        );
      }
      if (damaged.length > 0 && header.firstLsn <= neededLsn) {
        useless.push(...[...files.splice(0), ...damaged].map((file) => file.name));
        damaged = [];
      }
      files.push({ name, header });
    };
    try {
      if (!isThere) throw new OmenError('OMEN_CORRUPT', `${path} is missing. ${CORRUPT_ADVICE}`);
      add(readHeader(storage, path, identity, sequence));
    } catch (error) {
      if (!isDamage(error) || (!salvage && !isThere)) throw error;
      if (!salvage) {
        damaged.push({ name, error });
        continue;
      }
      const rescued = isThere ? rescueHeader(storage, path, identity, sequence) : null;
      const isRead = rescued !== null && rescued.firstLsn >= (files.at(-1)?.header.firstLsn ?? 0);
      const bytes = isRead ? BLOCK_BYTES : isThere ? sizeOf(storage, path) : 0;
      if (isRead) add(rescued);
      const lsns = isRead ? { firstLsn: 1, lastLsn: 0 } : { firstLsn: null, lastLsn: null };
      dropped.push({ path, offset: 0, bytes, ...lsns, reason: error.message });
    }
  }
  if (damaged.length > 0) throw damaged[0].error;
  return { files, dropped, useless, sequence };
}

export function sizeOf(storage: Storage, path: string): number {
  const file = storage.open(path, 'read');
  try {
    return file.size();
  } finally {
    file.close();
  }
}
