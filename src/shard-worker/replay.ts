/**
 * Replay: the log's records become memtable entries again. Operations of a batch whose outcome this
 * shard's log does not tell are applied, and remembered: `resolve` hides those that were aborted
 * before anybody reads.
 */
import { OmenError } from '../errors.ts';
import type { RecordVisitor, RecoveryReport, TornTail } from '../wal/log.ts';
import type { ManifestLoad } from './manifest.ts';
import { entryFlags, type MemtableWriter } from './memtable-writer.ts';
import {
  type BatchPart,
  batchName,
  COMMITTED_FLAG,
  DECISION,
  DEL,
  EPOCH_HI,
  EPOCH_LO,
  isWhole,
  KEY_HI,
  KEY_LO,
  LOAD_MARK,
  LOADED,
  loadBatchName,
  OPERATION_BYTES,
  OPERATIONS,
  PART,
  PARTICIPANTS,
  PUT,
  RANGE_DELETE,
  SHARDS,
  TICKET,
  TYPE,
} from './records.ts';
import type { Salvaged } from './salvaged.ts';

/** What recovery found in one shard: plain data, for the coordinator that decides the batches. */
export interface RecoveredShard {
  readonly shard: number;
  /** Parts of batches whose outcome is not in this shard's log. */
  readonly undecided: readonly BatchPart[];
  /** Outcomes in this shard's log: names of batches, and whether they are committed. */
  readonly decided: readonly (readonly [string, boolean])[];
  readonly records: number;
  /** A last group that was cut off: it was never acknowledged. */
  readonly tail: TornTail | null;
  /** What salvage dropped, to be told by this open. */
  readonly salvaged: readonly Salvaged[];
}

interface ReplayTarget {
  active(): MemtableWriter;
  /**
   * Seals the active memtable, whose last record has this LSN, and begins another, which holds a row of
   * so many bytes: it may be larger than memtables are now, as their size is no part of the data.
   */
  seal(lastLsn: number, rowBytes: number): void;
}

interface OpenPart extends BatchPart {
  readonly entries: { readonly memtable: MemtableWriter; readonly entry: number }[];
}

export class Replay {
  readonly #target: ReplayTarget;
  readonly #shard: number;
  readonly #flushedLsn: number;
  readonly #parts = new Map<string, OpenPart>();
  readonly #decided = new Map<string, boolean>();
  #current: OpenPart | null = null;
  /** The LSN of its head. */
  #currentLsn = 0;
  #operationsLeft = 0;

  /** @param flushedLsn operations up to here are in segments; only batches are looked at */
  constructor(shard: number, flushedLsn: number, target: ReplayTarget) {
    this.#shard = shard;
    this.#flushedLsn = flushedLsn;
    this.#target = target;
  }

  /**
   * @throws OMEN_NEWER_FORMAT for a record of a type that this release does not know, OMEN_CORRUPT for one
   * that is not as long as its type has it: no checksum keeps that from who wrote it
   */
  readonly visit: RecordVisitor = (views, offset, bytes, lsn) => {
    const words = views.u32;
    const at = offset >>> 2;
    const type = bytes > 4 ? words[at + TYPE] & 0xff : 0;
    if (!isWhole(words, at, type, bytes)) {
      throw new OmenError(
        'OMEN_CORRUPT',
        `The log of shard ${this.#shard} is damaged at LSN ${lsn}: a record of type ${type} ` +
          `has ${bytes} bytes, under a checksum that holds. Restore a backup.`,
      );
    }
    if (type === PUT || type === DEL || type === RANGE_DELETE) {
      this.#apply(words, at, type, bytes - OPERATION_BYTES, lsn);
    } else if (type === LOAD_MARK || type === LOADED) {
      if (this.#operationsLeft > 0) this.#operationsLeft--;
    } else if (type === PART) {
      this.#beginPart(words, at, lsn);
    } else if (type === DECISION) {
      const epoch = { lo: words[at + EPOCH_LO], hi: words[at + EPOCH_HI] };
      const committed = (words[at + TYPE] & COMMITTED_FLAG) !== 0;
      this.#decide(batchName(epoch, words[at + TICKET]), committed);
    } else {
      throw new OmenError(
        'OMEN_NEWER_FORMAT',
        `Shard ${this.#shard} has a log record of unknown type ${type} at LSN ${lsn}. ` +
          'Open it with the release that wrote it.',
      );
    }
  };

  #beginPart(words: Uint32Array, at: number, lsn: number): void {
    const epoch = { lo: words[at + EPOCH_LO], hi: words[at + EPOCH_HI] };
    const ticket = words[at + TICKET];
    const batch = batchName(epoch, ticket);
    const count = words[at + PARTICIPANTS];
    const participants = Array.from(words.subarray(at + SHARDS, at + SHARDS + count));
    this.#current = { batch, ticket, epoch, participants, entries: [] };
    this.#currentLsn = lsn;
    this.#operationsLeft = words[at + OPERATIONS];
    this.#parts.set(batch, this.#current);
  }

  #apply(words: Uint32Array, at: number, type: number, rowBytes: number, lsn: number): void {
    if (lsn <= this.#flushedLsn) {
      if (this.#operationsLeft > 0) this.#operationsLeft--;
      return;
    }
    let memtable = this.#target.active();
    const isRange = type === RANGE_DELETE;
    if (!memtable.fits(1, rowBytes) || (isRange && !memtable.hasNoVersions)) {
      memtable.publish();
      memtable.sealChunks();
      // Amid a part: the next replay needs it from its head on, to know what becomes of its rest.
      this.#target.seal(this.#operationsLeft > 0 ? this.#currentLsn - 1 : lsn - 1, rowBytes);
      memtable = this.#target.active();
    }
    const hi = words[at + KEY_HI];
    const lo = words[at + KEY_LO];
    const row = memtable.append(hi, lo, entryFlags(type), 0, rowBytes);
    const arena = memtable.reader.arena.u32;
    const from = at + OPERATION_BYTES / 4;
    const rowWords = (rowBytes + 3) >>> 2;
    for (let i = 0; i < rowWords; i++) arena[(row >>> 2) + i] = words[from + i];
    if (this.#operationsLeft === 0 || this.#current === null) return;
    this.#operationsLeft--;
    this.#current.entries.push({ memtable, entry: memtable.entryOfRow(row) });
  }

  #decide(batch: string, committed: boolean): void {
    const part = this.#parts.get(batch);
    this.#decided.set(batch, committed);
    if (part === undefined) return;
    if (!committed) hide(part);
    this.#parts.delete(batch);
  }

  /** Whether the memtable holds entries of a batch whose outcome the log has not told so far. */
  isOpenIn(memtable: MemtableWriter): boolean {
    for (const { entries } of this.#parts.values()) {
      if (entries.some((entry) => entry.memtable === memtable)) return true;
    }
    return false;
  }

  finish(report: RecoveryReport, salvaged: readonly Salvaged[] = []): RecoveredShard {
    const strip = ({ batch, ticket, epoch, participants }: OpenPart): BatchPart => {
      return { batch, ticket, epoch, participants };
    };
    return {
      shard: this.#shard,
      undecided: [...this.#parts.values()].map(strip),
      decided: [...this.#decided],
      records: report.records,
      tail: report.tail,
      salvaged,
    };
  }

  /** Hides the undecided parts that are not in `committed`; returns all of them. */
  resolve(committed: ReadonlySet<string>): BatchPart[] {
    const parts = [...this.#parts.values()];
    for (const part of parts) if (!committed.has(part.batch)) hide(part);
    return parts;
  }
}

function hide(part: OpenPart): void {
  for (const { memtable, entry } of part.entries) memtable.flagAborted(entry);
}

/** What recovery found, with a load that is undecided, or that this shard knows to be published. */
export function withLoad(found: RecoveredShard, load: ManifestLoad | null): RecoveredShard {
  if (load === null) return found;
  const batch = loadBatchName(load.name);
  const { undecided, decided } = found;
  if (load.run === null) return { ...found, decided: [...decided, [batch, true]] };
  const part = { batch, ticket: 0, epoch: { lo: 0, hi: 0 }, participants: load.participants };
  return { ...found, undecided: [...undecided, part] };
}
