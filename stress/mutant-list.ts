/**
 * Seeded bugs: changes to a copy of src/, each of which loses data, or returns something wrong, in some
 * crash or for some damage. The harness that finds none of it in the engine has to find all of these.
 *
 * `find` stands exactly once in `file`; a test holds it, so that none rots as the engine changes.
 */

/** What finds bugs (mutants.ts): groups of test files, and the plug of a real volume. */
export type Detector = 'crashes' | 'damage' | 'storage' | 'engine' | 'histories' | 'plug';

export interface Mutant {
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Tried first, as it is what should notice. */
  readonly by: Detector;
}

export const MUTANTS: readonly Mutant[] = [
  {
    what: 'a commit does not sync the log',
    file: 'src/wal/writer.ts',
    find: 'if (sync) this.#file.datasync();',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'a sync of the log that failed is tried again',
    file: 'src/wal/writer.ts',
    find: 'if (sync) this.#file.datasync();',
    replace: `if (sync) {
        try {
          this.#file.datasync();
        } catch {
          this.#file.datasync();
        }
      }`,
    by: 'crashes',
  },
  {
    what: 'a group now and then is not written to the log',
    file: 'src/wal/writer.ts',
    find: 'this.#file.write(views.u8.subarray(0, paddedBytes), this.#position);',
    replace:
      'if (this.#lastLsn % 5 !== 3) this.#file.write(views.u8.subarray(0, paddedBytes), this.#position);',
    by: 'crashes',
  },
  {
    what: 'a group that found no room stays in the log',
    file: 'src/wal/writer.ts',
    find: 'this.#prewrite(this.#position, Math.min(this.#tornEnd, this.#preparedBytes));',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'that a group was taken back is not synced',
    file: 'src/wal/writer.ts',
    find: 'this.#file.truncate(this.#preparedBytes);\n      this.#file.sync();',
    replace: 'this.#file.truncate(this.#preparedBytes);',
    by: 'crashes',
  },
  {
    what: 'a new log file gets its name before it is synced',
    file: 'src/wal/writer.ts',
    find: 'this.#file.sync();\n      this.#file.close();',
    replace: 'this.#file.close();',
    by: 'crashes',
  },
  {
    what: 'the name of a new log file is not synced',
    file: 'src/wal/writer.ts',
    find: 'this.#storage.syncDirectory(dirname(this.#path));',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'the old name of a recycled log file is not synced away',
    file: 'src/wal/log.ts',
    find: 'this.#storage.syncDirectory(this.#directory);\n    this.#hasRecycled = true;',
    replace: 'this.#hasRecycled = true;',
    by: 'crashes',
  },
  {
    what: 'recovery trusts the page cache with the end of the log',
    file: 'src/wal/log.ts',
    find: 'durableLsn: needed ? durableLsn : lastLsn }',
    replace: 'durableLsn: needed ? lastLsn : lastLsn }',
    by: 'crashes',
  },
  {
    what: 'a log that is closed does not say that its last group was durable',
    file: 'src/wal/log.ts',
    find: 'writer.sync();\n        writer.mark();',
    replace: 'writer.sync();',
    by: 'damage',
  },
  {
    what: 'the checksum of a frame is not looked at',
    file: 'src/wal/frame.ts',
    find: 'if (u32[word] !== crc32(u8.subarray(at + 4, at + length), header.seed)) {',
    replace: 'if (crc32(u8.subarray(at + 4, at + length), header.seed) < 0) {',
    by: 'damage',
  },
  {
    what: 'the checksum of a log file’s header is not looked at',
    file: 'src/wal/header.ts',
    find: 'if (view.getUint32(CRC_OFFSET, true) !== seed) {',
    replace: 'if (seed < 0) {',
    by: 'damage',
  },
  {
    what: 'the log ends at its first damaged group, acknowledged or not',
    file: 'src/wal/reader.ts',
    find: 'const acknowledged = nextFirstLsn !== null || rest.durableLsn >= expectedLsn;',
    replace: 'const acknowledged = nextFirstLsn !== null;',
    by: 'damage',
  },
  {
    what: 'a log that ends before what was durable is believed',
    file: 'src/shard-worker/engine.ts',
    find: 'if (report.lastLsn < durableLsn) {',
    replace: 'if (report.lastLsn < 0) {',
    by: 'damage',
  },
  {
    what: 'a manifest is written in place',
    file: 'src/storage/storage.ts',
    find: 'const temporary = path + TEMPORARY_SUFFIX;',
    replace: 'const temporary = path;',
    by: 'crashes',
  },
  {
    what: 'a manifest gets its name before it is synced',
    file: 'src/storage/storage.ts',
    find: 'file.write(bytes, 0);\n    file.sync();',
    replace: 'file.write(bytes, 0);',
    by: 'crashes',
  },
  {
    what: 'the name of a manifest is not synced',
    file: 'src/storage/storage.ts',
    find: 'storage.syncDirectory(dirname(path));',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'the checksum of a manifest is not looked at',
    file: 'src/shard-worker/manifest.ts',
    find: "if (crc === undefined || crc !== crc32(line).toString(16).padStart(8, '0')) {",
    replace: 'if (crc === undefined) {',
    by: 'damage',
  },
  {
    what: 'recovery removes files on the word of a manifest that may be in the page cache only',
    file: 'src/shard-worker/engine.ts',
    find: 'this.#manifest.renew(this.#namedRecords());',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'the names of segments are not synced before a manifest has them',
    file: 'src/shard-worker/engine.ts',
    find: 'storage.syncDirectory(directory);\n      this.#manifest.replace({',
    replace: 'this.#manifest.replace({',
    by: 'crashes',
  },
  {
    what: 'a segment is not synced',
    file: 'src/arrow/writer.ts',
    find: '  file.sync();\n}',
    replace: '}',
    by: 'crashes',
  },
  {
    what: 'the checksums of pages are not looked at',
    file: 'src/arrow/pages.ts',
    find: 'if (crc32(bytes.subarray(at, at + PAGE_BYTES)) !== crcs[page]) return page;',
    replace: 'if (crc32(bytes.subarray(at, at + PAGE_BYTES)) < 0) return page;',
    by: 'damage',
  },
  {
    what: 'a segment without its model file is believed',
    file: 'src/shard-worker/segment-files.ts',
    find: 'if (pagesCrcOf(pageCrcs) !== record.pagesCrc) {',
    replace: 'if (pagesCrcOf(pageCrcs) < 0) {',
    by: 'damage',
  },
  {
    what: 'a failed group is left where the next one shows it',
    file: 'src/shard-worker/engine.ts',
    find: 'this.#active.discard();\n      this.#stumble(error);',
    replace: 'this.#active.publish();\n      this.#stumble(error);',
    by: 'crashes',
  },
  {
    what: 'the shard goes on after its log has failed',
    file: 'src/shard-worker/engine.ts',
    find: 'if (!isShortage(error) || this.#log.failed) this.fail(error);',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'the log is cut below parts that other shards still need',
    file: 'src/shard-worker/engine.ts',
    find: 'Math.min(flushedLsn + 1, this.ledger.oldestNeededLsn)',
    replace: 'flushedLsn + 1',
    by: 'crashes',
  },
  {
    what: 'a memtable is flushed though a batch in it is open',
    file: 'src/shard-worker/engine.ts',
    find: 'return !this.ledger.isOpenIn(memtable);',
    replace: 'return true;',
    by: 'crashes',
  },
  {
    what: 'a flush lets go of deletes that older runs need',
    file: 'src/shard-worker/engine.ts',
    find: 'keepTombstones: this.#runs.length > 0,',
    replace: 'keepTombstones: false,',
    by: 'crashes',
  },
  {
    what: 'what unfinished jobs left is not removed',
    file: 'src/shard-worker/engine.ts',
    find: 'if (isSegment || name.endsWith(TEMPORARY_SUFFIX)) storage.remove(join(directory, name));',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'recovery takes up a batch of which it found a part',
    file: 'src/shard-worker/decide-batches.ts',
    find: 'participants.every(',
    replace: 'participants.some(',
    by: 'crashes',
  },
  {
    what: 'recovery shows the parts of a batch that was aborted',
    file: 'src/shard-worker/replay.ts',
    find: 'for (const part of parts) if (!committed.has(part.batch)) hide(part);',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'a delete is replayed as a put',
    file: 'src/shard-worker/memtable-writer.ts',
    find: 'return type === DEL ? TOMBSTONE : RANGE_ENTRY;',
    replace: 'return type === DEL ? 0 : RANGE_ENTRY;',
    by: 'crashes',
  },
  {
    what: 'a batch is settled before its outcome is durable',
    file: 'src/shard-worker/batch-ledger.ts',
    find: 'if (isDurable) this.synced();',
    replace: 'if (isDurable || !isDurable) this.synced();',
    by: 'crashes',
  },
  {
    what: 'a short write is taken for a whole one',
    file: 'src/storage/real.ts',
    find: "if (count === 0) throw new Error('the system wrote nothing, and did not say why');\n        done += count;",
    replace: 'done += Math.max(count, length);',
    by: 'storage',
  },
  {
    what: 'a read does not go on where one call ended',
    file: 'src/storage/real.ts',
    find: 'if (count === 0) break;\n        done += count;',
    replace: 'done += count;\n        break;',
    by: 'storage',
  },
  {
    what: 'a sync of a directory asks the system for nothing',
    file: 'src/storage/real.ts',
    find: 'sync(path, () => fs.fsyncSync(descriptor));',
    replace: '',
    by: 'storage',
  },
  {
    what: 'a sync of a file asks the system for nothing',
    file: 'src/storage/real.ts',
    find: 'sync(this.#path, () => fs.fsyncSync(this.#descriptor));',
    replace: '',
    by: 'plug',
  },
  {
    what: 'a sync of a file’s bytes asks the system for nothing',
    file: 'src/storage/real.ts',
    find: 'fs.fdatasyncSync(this.#descriptor);',
    replace: '',
    by: 'plug',
  },
  {
    what: 'conditions overlook what is pending',
    file: 'src/shard-worker/memtable-writer.ts',
    find: 'if (pending !== 0) return pending;',
    replace: '',
    by: 'engine',
  },
  {
    what: 'a condition that failed is told before what it saw is certain',
    file: 'src/shard-worker/host.ts',
    find: 'if (lane.engine.hasPending) lane.verdicts.push((lost) => tell(lost ?? error));\n    else tell(error);',
    replace: 'tell(error);',
    by: 'engine',
  },
  {
    what: 'the conditions of a batch across shards are not looked at',
    file: 'src/shard-worker/host.ts',
    find: 'if (!engine.holds(words, from)) {',
    replace: 'if (ticket === 0 && !engine.holds(words, from)) {',
    by: 'engine',
  },
  {
    what: 'a condition does not wait for the batch that has its key',
    file: 'src/shard-worker/host.ts',
    find: 'if (ledger.isBusy(hi, words[operation + 2], words, operation + 4)) return true;',
    replace: '',
    by: 'engine',
  },
  {
    what: 'salvage believes rows of damaged pages',
    file: 'src/shard-worker/salvage-segment.ts',
    find: 'if (this.rows[row] === 0) this.count++;\n      this.rows[row] = 1;',
    replace: '',
    by: 'damage',
  },
  {
    what: 'salvage leaves damaged files to whoever removes what is superfluous',
    file: 'src/shard-worker/manifest.ts',
    find: 'for (const path of found) this.#storage.rename(path, path + DAMAGED_SUFFIX);',
    replace: '',
    by: 'damage',
  },
  {
    what: 'salvage says that records it had to leave out are in segments',
    file: 'src/shard-worker/salvage.ts',
    find: 'rows: isNeeded ? null : 0',
    replace: 'rows: isNeeded ? 0 : 0',
    by: 'damage',
  },
  {
    what: 'the list of what salvage dropped is lost with the process',
    file: 'src/shard-worker/salvage.ts',
    find: 'salvaged: [...new Set([...current.salvaged, ...this.#salvaged])],',
    replace: '',
    by: 'damage',
  },
  {
    what: 'a range is added to a memtable that has entries it should hide',
    file: 'src/shard-worker/replay.ts',
    find: '|| (isRange && !memtable.hasNoVersions)',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'a flush forgets the ranges of its memtable',
    file: 'src/shard-worker/engine.ts',
    find: 'return this.#runs.map((run) => run.without(ranges));',
    replace: 'return this.#runs.map((run) => run.without(ranges.slice(1)));',
    by: 'crashes',
  },
  {
    what: 'a merge forgets what was cleared of its runs',
    file: 'src/shard-worker/merge.ts',
    find: 'if (hasCleared) dropCleared(block, input);',
    replace: '',
    by: 'crashes',
  },
  {
    what: 'what was cleared of runs is not in the manifest',
    file: 'src/shard-worker/engine.ts',
    find: 'cleared: wordsOf(runs),\n      });',
    replace: 'cleared: runs.map(() => []),\n      });',
    by: 'crashes',
  },
  {
    what: 'a write does not wait for an open batch that clears its key',
    file: 'src/shard-worker/batch-ledger.ts',
    find: 'if (this.#busyRanges.length === 0) return false;',
    replace: 'if (this.#busyRanges.length >= 0) return false;',
    by: 'engine',
  },
  {
    what: 'what the database is goes unchecked',
    file: 'src/coordinator/identity.ts',
    find: 'if (checksum !== checksumOf(parsed)) throw',
    replace: 'if (checksum === undefined) throw',
    by: 'damage',
  },
  {
    what: 'a write is acknowledged before it is visible',
    file: 'src/shard-worker/host.ts',
    find: "engine.commit(this.#durability === 'sync');",
    replace:
      "for (const link of this.#links.values()) link.complete();\n      engine.commit(this.#durability === 'sync');",
    by: 'histories',
  },
  {
    what: 'a condition is judged without the writes that are pending',
    file: 'src/shard-worker/memtable-writer.ts',
    find: 'if (pending !== 0) return pending;',
    replace: '',
    by: 'histories',
  },
  {
    what: 'a snapshot is what one reading finds',
    file: 'src/coordinator/reader.ts',
    find: 'if (isSame(before, after)) return after.shards;',
    replace: 'return after.shards;',
    by: 'histories',
  },
  {
    what: 'a watch does not wait for the other parts of a batch',
    file: 'src/coordinator/watch.ts',
    find: 'return lanes.length === part.participants.length ? this.#take(lanes) : null;',
    replace: 'return this.#take(lanes);',
    by: 'histories',
  },
  {
    what: 'a watch passes over batches that are undecided',
    file: 'src/coordinator/watch.ts',
    find: 'if (state === UNDECIDED) return null;',
    replace: '',
    by: 'histories',
  },
  {
    what: 'the position of a snapshot forgets which batches it does not have',
    file: 'src/coordinator/position.ts',
    find: 'const open = new Set([...undecided].map((ticket) => batchName(epoch, ticket)));',
    replace: 'const open = new Set([...undecided].slice(0, 0).map((t) => batchName(epoch, t)));',
    by: 'histories',
  },
  {
    what: 'the position of a snapshot is of a moment later',
    file: 'src/shard-worker/engine.ts',
    find: 'this.#mark(this.#active.usedBytes);\n    this.#active.publish();',
    replace:
      'this.#mark(this.#active.watermark);\n    this.#active.publish();\n    this.#mark(this.#active.watermark);',
    by: 'histories',
  },
  {
    what: 'the log is cut though a watch has not read it',
    file: 'src/shard-worker/engine.ts',
    find: 'this.isShort ? null : control.logs.followedLsn(this.shard, clients());',
    replace: 'this.isShort || clients() ? null : 0;',
    by: 'histories',
  },
];
