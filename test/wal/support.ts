/** Records, groups and files for the tests of the log. */

import { CrashStorage } from '../../src/storage/crash.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Views } from '../../src/wal/frame.ts';
import type { WalIdentity } from '../../src/wal/header.ts';
import {
  type CommitLog,
  type LocalLog,
  type LocalLogOptions,
  openLocalLog,
} from '../../src/wal/log.ts';

export const DIRECTORY = '/shard';
export const IDENTITY: WalIdentity = {
  databaseId: Uint8Array.from({ length: 16 }, (_, i) => 200 - i),
  shard: 3,
};

/** Prewriting a mebibyte would be most of the time of a test in memory. */
export const SMALL: LocalLogOptions = { pieceBytes: 16 * 1024 };

/** An empty disk with a directory for a shard. */
export function emptyDisk(): CrashStorage {
  const storage = new CrashStorage();
  storage.makeDirectory(DIRECTORY);
  storage.syncDirectory('/');
  return storage;
}

/** What a record is told by: its length and all its bytes follow from the stamp. */
export function putRecord(log: Pick<CommitLog, 'reserve' | 'u8'>, stamp: number): void {
  const bytes = recordBytes(stamp);
  const offset = log.reserve(bytes);
  for (let i = 4; i < bytes; i++) log.u8[offset + i] = stamp * 31 + i;
  if (bytes >= 8) new DataView(log.u8.buffer).setUint32(offset + 4, stamp, true);
}

export function recordBytes(stamp: number): number {
  return 8 + ((stamp * 7) % 90) + (stamp % 50 === 13 ? 5000 : 0);
}

/** The stamp of a record made by putRecord(), or NaN when a single byte of it is wrong. */
export function stampOf(views: Views, offset: number, bytes: number): number {
  const stamp = new DataView(views.u8.buffer).getUint32(offset + 4, true);
  if (offset % 8 !== 0 || bytes !== recordBytes(stamp)) return Number.NaN;
  for (let i = 8; i < bytes; i++) {
    if (views.u8[offset + i] !== ((stamp * 31 + i) & 255)) return Number.NaN;
  }
  return stamp;
}

/** Commits one group with these stamps. */
export function commitStamps(log: CommitLog, stamps: readonly number[], sync = true): number {
  for (const stamp of stamps) putRecord(log, stamp);
  return log.commit(sync);
}

export function openSmall(storage: Storage, options: LocalLogOptions = {}): LocalLog {
  return openLocalLog(storage, DIRECTORY, IDENTITY, { ...SMALL, ...options });
}

/** Opens, recovers and starts a log; returns it with [LSN, stamp] of each record. */
export function recovered(
  storage: Storage,
  fromLsn = 1,
  options: LocalLogOptions = {},
): { log: LocalLog; found: [number, number][]; report: ReturnType<LocalLog['read']> } {
  const log = openSmall(storage, options);
  const found: [number, number][] = [];
  const report = log.read(fromLsn, (views, offset, bytes, lsn) => {
    found.push([lsn, stampOf(views, offset, bytes)]);
  });
  log.start();
  return { log, found, report };
}

/** Changes bytes of a file behind everybody's back, durably. */
export function damage(
  storage: Storage,
  path: string,
  change: (content: Uint8Array) => void,
): void {
  const file = storage.open(path, 'read-write');
  const content = new Uint8Array(file.size());
  file.read(content, 0);
  change(content);
  file.write(content, 0);
  file.sync();
  file.close();
}

export function numbered(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** [LSN, stamp] pairs where the stamps are the LSNs. */
export function pairs(count: number, first = 1): [number, number][] {
  return numbered(count, first).map((lsn) => [lsn, lsn]);
}
