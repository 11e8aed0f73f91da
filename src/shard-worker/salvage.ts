/**
 * Salvage of one shard: what can be read of a damaged directory is brought into a form that opens in the
 * ordinary way, and what cannot is listed and kept aside.
 *
 * - Its constructor only reads, but for a directory that is missing. Where no shard of the database turns out to be damaged, that is all.
 * - `keep` writes all rows into segments and names them in a manifest, with what was dropped. The log
 *   stays as it is: until every shard has done so, another may need it to decide its batches, in this
 *   salvage or in one that follows its being killed.
 * - `conclude` begins a new log behind everything that was ever written, and lets go of the old one.
 * - No damaged file is removed. A manifest names those that are to be renamed, and only then are they,
 *   by whoever opens the shard next if it comes to that.
 * - Every row shown was written at some time, under a checksum that still holds. Newer versions of it may
 *   be lost, and so may the delete that ended it.
 */
import { basename, dirname, join } from 'node:path';
import { isVariable, type Schema } from '../schema/schema.ts';
import type { Storage } from '../storage/storage.ts';
import type { CommitTable } from '../view/commit-table.ts';
import { Control, createControl } from '../view/control.ts';
import type { MemtableShape } from '../view/memtable.ts';
import { type LocalLog, openLocalLog, type RecoveryReport } from '../wal/log.ts';
import { flushMemtable } from './flush.ts';
import {
  type DamagedManifest,
  idOfSegmentFile,
  type Manifest,
  ManifestFile,
  removeUnnamed,
  type SegmentRecord,
} from './manifest.ts';
import { MemtablePool } from './memtable-pool.ts';
import { MemtableWriter } from './memtable-writer.ts';
import type { SegmentPlace } from './model-files.ts';
import { loadBatchName } from './records.ts';
import { type RecoveredShard, Replay, withLoad } from './replay.ts';
import {
  checkRuns,
  type Damage,
  type FoundSegment,
  hasSegments,
  withoutManifest,
} from './salvage-runs.ts';
import { DAMAGED_SUFFIX, type Salvaged } from './salvaged.ts';
import type { Span } from './segment-shape.ts';

export interface SalvageOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly shard: number;
  readonly schema: Schema;
  readonly databaseId: string;
  readonly memtableShape: MemtableShape;
  readonly walPieceBytes?: number | undefined;
}

const UNKNOWN = { rows: null, firstLsn: null, lastLsn: null, offset: 0 } as const;

interface Sealed {
  readonly memtable: MemtableWriter;
  readonly span: Span;
}

export class ShardSalvage {
  /** For the decision about batches. `salvaged` is what this salvage has to drop. */
  readonly found: RecoveredShard;
  readonly #options: SalvageOptions;
  readonly #place: SegmentPlace;
  readonly #manifest: ManifestFile;
  readonly #runs: readonly (readonly FoundSegment[])[];
  /** What was cleared of each run, in words. */
  readonly #cleared: readonly (readonly Uint32Array[])[];
  /** The one of them that is of a load whose outcome is open. */
  readonly #loaded: readonly FoundSegment[] | null;
  readonly #log: LocalLog;
  readonly #replay: Replay;
  readonly #pool: MemtablePool;
  readonly #table: CommitTable;
  /** The log's records that no segment holds, oldest first; then the active memtable. */
  readonly #sealed: Sealed[] = [];
  #active: MemtableWriter;
  readonly #salvaged: Salvaged[] = [];
  /** Names of damaged files: those that nobody needs any more, and those of the log. */
  readonly #damaged: string[] = [];
  readonly #damagedLogs = new Set<string>();
  #nextId: number;
  /** The last LSN that may ever have been given to a record. */
  readonly #lastLsn: number;

  /** Reads everything. @throws OMEN_NEWER_FORMAT, what the storage throws but OMEN_IO */
  constructor(options: SalvageOptions) {
    const { storage, directory, shard, schema, databaseId, walPieceBytes } = options;
    this.#options = options;
    this.#place = { directory, schema, databaseId, shard };
    const isMissing = !storage.exists(directory);
    if (isMissing) {
      storage.makeDirectory(directory);
      storage.syncDirectory(dirname(directory));
    }
    const isUsable = (manifest: Manifest) => hasSegments(storage, directory, manifest);
    const manifests = ManifestFile.salvage(storage, directory, databaseId, shard, isUsable);
    this.#manifest = manifests.file;
    const { logFile, setAside } = this.#manifest.current;
    const identity = { databaseId: Uint8Array.from(Buffer.from(databaseId, 'hex')), shard };
    this.#log = openLocalLog(storage, directory, identity, {
      required: logFile === null ? [] : [logFile],
      setAside,
      salvage: true,
      pieceBytes: walPieceBytes,
    });
    const reason = `${directory} was missing`;
    if (isMissing) this.#drop({ ...UNKNOWN, what: 'manifest', file: directory, bytes: 0, reason });
    this.#noteManifests(manifests.damaged);
    if (manifests.isLost && !this.#isNew(manifests.damaged.length)) this.#doWithoutManifest();
    const { flushedLsn, durableLsn, logLsn, runs, cleared, nextId } = this.#manifest.current;
    this.#nextId = nextId;
    const checked = checkRuns(storage, this.#place, runs);
    this.#runs = checked.runs.filter((run) => run.length > 0);
    this.#cleared = cleared.filter((_, i) => checked.runs[i].length > 0);
    const { load } = this.#manifest.current;
    this.#loaded = checked.runs[load?.run ?? -1] ?? null;
    this.#note(checked);

    const control = new Control(createControl());
    this.#table = control.table;
    const storesKeys = isVariable(schema.key);
    this.#pool = new MemtablePool(options.memtableShape, storesKeys, control, shard, () => []);
    this.#active = new MemtableWriter(this.#pool.take(), this.#table);
    this.#replay = new Replay(shard, flushedLsn, {
      active: () => this.#active,
      seal: (lastLsn, rowBytes) => this.#seal(lastLsn, rowBytes),
    });
    const report = this.#log.read(logLsn, this.#replay.visit);
    this.#noteLog(report);
    this.#lastLsn = Math.max(report.lastLsn, durableLsn, flushedLsn);
    this.found = withLoad(this.#replay.finish(report, this.#salvaged), load);
  }

  /** Whether nothing but a log from the first record on is there, as before the first manifest. */
  #isNew(damagedManifests: number): boolean {
    const { storage, directory } = this.#options;
    const hasSegment = storage.list(directory).some((name) => idOfSegmentFile(name) !== null);
    return damagedManifests === 0 && !hasSegment && (this.#log.firstLsn ?? 1) === 1;
  }

  #noteManifests(damaged: readonly DamagedManifest[]): void {
    const { directory } = this.#options;
    for (const { name, bytes, reason } of damaged) {
      this.#damaged.push(name);
      this.#drop({ ...UNKNOWN, what: 'manifest', file: join(directory, name), bytes, reason });
    }
  }

  #doWithoutManifest(): void {
    const { storage, directory } = this.#options;
    if (this.#damaged.length === 0) {
      const reason = `there is no manifest in ${directory}`;
      this.#noteManifests([{ name: 'manifest-*.json', bytes: 0, reason }]);
    }
    const { current } = this.#manifest;
    const rebuilt = withoutManifest(storage, this.#place, current, this.#log.firstLsn);
    this.#manifest.current = rebuilt.manifest;
    this.#note(rebuilt);
  }

  #note({ dropped, damaged }: Damage): void {
    for (const one of dropped) this.#drop(one);
    this.#damaged.push(...damaged);
  }

  #noteLog(report: RecoveryReport): void {
    const { storage, directory } = this.#options;
    const { flushedLsn, durableLsn } = this.#manifest.current;
    const dropped = [...report.dropped];
    if (report.lastLsn < durableLsn) {
      const lsns = { firstLsn: report.lastLsn + 1, lastLsn: durableLsn };
      const reason = 'the log ends there, and was durable beyond';
      dropped.push({ path: directory, offset: 0, ...report.end, bytes: 0, ...lsns, reason });
    }
    for (const { path, ...rest } of dropped) {
      const { firstLsn, lastLsn } = rest;
      const isNeeded = lastLsn === null || lastLsn > Math.max(flushedLsn, (firstLsn ?? 1) - 1);
      this.#drop({ what: 'log', file: path, ...rest, rows: isNeeded ? null : 0 });
      if (path !== directory && storage.exists(path)) this.#damagedLogs.add(basename(path));
    }
  }

  /** A salvage that was killed may have listed it already. */
  #drop(dropped: Omit<Salvaged, 'shard' | 'kept'>): void {
    const { file, offset } = dropped;
    const { storage, shard, directory } = this.#options;
    const kept = file !== directory && storage.exists(file) ? file + DAMAGED_SUFFIX : null;
    const known = this.#manifest.current.salvaged.find(
      (one) => one.file === file && one.offset === offset,
    );
    this.#salvaged.push(known ?? { shard, ...dropped, kept });
  }

  #seal(lastLsn: number, rowBytes: number): void {
    const before = this.#sealed.at(-1)?.span.lastLsn ?? this.#manifest.current.flushedLsn;
    const span = { firstLsn: before + 1, lastLsn };
    if (!this.#active.isEmpty) this.#sealed.push({ memtable: this.#active, span });
    this.#active = new MemtableWriter(this.#pool.take(rowBytes), this.#table);
  }

  /** Makes everything that was found durable as segments, once the outcome of every batch is known. */
  keep(committed: ReadonlySet<string>): void {
    const { storage, directory } = this.#options;
    const { current } = this.#manifest;
    this.#replay.resolve(committed);
    this.#active.publish();
    this.#seal(this.#lastLsn, 0);
    removeUnnamed(storage, directory, this.#nextId);
    const { load } = current;
    const isLoaded =
      load !== null && (load.run === null || committed.has(loadBatchName(load.name)));
    const isKept = (run: readonly FoundSegment[]) => isLoaded || run !== this.#loaded;
    const runs = this.#runs
      .filter(isKept)
      .map((run) =>
        run.map((segment) => (typeof segment === 'function' ? segment(this.#nextId++) : segment)),
      );
    let cleared = this.#cleared
      .filter((_, i) => isKept(this.#runs[i]))
      .map((ranges) => [...ranges]);
    for (const sealed of this.#sealed) {
      const ranges = sealed.memtable.reader.ranges.map(({ words }) => words);
      cleared = cleared.map((older) => [...older, ...ranges]);
      const written = this.#flush(sealed, runs.length > 0);
      if (written.length === 0) continue;
      runs.unshift(written);
      cleared.unshift([]);
    }
    storage.syncDirectory(directory);
    this.#manifest.replace({
      ...current,
      flushedLsn: this.#lastLsn,
      durableLsn: this.#lastLsn,
      nextId: this.#nextId,
      runs,
      cleared,
      load: isLoaded ? { ...load, run: null } : null,
      setAside: [...new Set([...current.setAside, ...this.#damaged])],
      salvaged: [...new Set([...current.salvaged, ...this.#salvaged])],
    });
  }

  #flush({ memtable, span }: Sealed, keepTombstones: boolean): SegmentRecord[] {
    const written = flushMemtable(this.#options.storage, {
      kind: 'flush',
      place: this.#place,
      memtable: memtable.handle,
      keepTombstones,
      expiry: null,
      firstId: this.#nextId,
      span,
    });
    this.#nextId += written.length;
    return written.map(({ record }) => record);
  }

  /** Lets go of the log, once all shards have kept what was in theirs. */
  conclude(): void {
    this.#log.start(this.#lastLsn);
    const { current } = this.#manifest;
    this.#manifest.replace({
      ...current,
      logLsn: this.#lastLsn + 1,
      logFile: this.#log.files.at(-1) ?? null,
      setAside: [...current.setAside, ...this.#damagedLogs],
    });
    this.#log.close();
  }
}
