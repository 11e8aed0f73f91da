/**
 * The names of WAL files, and which of them a directory holds. Reads only.
 */

import { join } from 'node:path';
import { OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Dropped } from './commit-log.ts';
import type { WalHeader, WalIdentity } from './header.ts';
import { readHeader } from './reader.ts';

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
  /** The highest sequence number ever seen here. */
  readonly sequence: number;
}

export function fileName(sequence: number): string {
  return `wal-${String(sequence).padStart(10, '0')}.log`;
}

/** Whether a file of this name is of no use to a process that did not make it itself. */
export function isLeftover(name: string): boolean {
  return LEFTOVER_NAME.test(name);
}

/**
 * Finds the log's files and reads their headers. Throws OMEN_CORRUPT where one of `required` is
 * missing or any is damaged, unless salvaging; then `dropped` has them.
 */
export function findFiles(
  storage: Storage,
  directory: string,
  identity: WalIdentity,
  required: readonly string[],
  salvage: boolean,
): FoundFiles {
  const names = storage.list(directory);
  const files: LogFile[] = [];
  const dropped: Dropped[] = [];
  let sequence = 0;
  for (const name of new Set([...names, ...required].sort())) {
    const match = FILE_NAME.exec(name);
    if (match === null) continue;
    sequence = Number(match[1]);
    const path = join(directory, name);
    try {
      if (!names.includes(name)) {
        const advice = 'Put it back, or restore the shard from a backup.';
        throw new OmenError('OMEN_CORRUPT', `${path} is missing. ${advice}`);
      }
      const header = readHeader(storage, path, identity, sequence);
      if (header.firstLsn < (files.at(-1)?.header.firstLsn ?? 0)) {
        throw new OmenError('OMEN_CORRUPT', `${path} begins before the file that precedes it`);
      }
      files.push({ name, header });
    } catch (error) {
      const damaged = error instanceof OmenError && error.code === 'OMEN_CORRUPT';
      if (!damaged || !salvage) throw error;
      dropped.push({ path, offset: 0, firstLsn: null, lastLsn: null, reason: error.message });
    }
  }
  return { files, dropped, sequence };
}
