/**
 * Reads one WAL file back, and tells the torn tail of a crash from damage.
 *
 * Frames are accepted in order as long as each verifies and continues the LSNs of the one before.
 * The first place where none does is the end of the log, if
 * - the next file begins with the LSN expected here: a file gets its name only once all before its
 *   first LSN is durable, so what follows here was never acknowledged, or was copied there; or
 * - there is no next file, and no later frame of this file says that the LSN expected here was
 *   durable: then what is missing was never acknowledged. Otherwise something acknowledged is
 *   damaged: OMEN_CORRUPT, or with `salvage` the frames that can still be read, and a list of what
 *   is missing.
 *
 * Memory is bounded by the largest frame, a frame by its file.
 */

import { CORRUPT_ADVICE, isDamage, OmenError } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import type { Dropped, TornTail } from './commit-log.ts';
import {
  claimedLength,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type Views,
  verifyFrame,
  viewsOf,
  wholeBlocks,
} from './frame.ts';
import {
  BLOCK_BYTES,
  decodeHeader,
  guessHeaders,
  type WalHeader,
  type WalIdentity,
} from './header.ts';

const WINDOW_BYTES = 1 * 2 ** 20;

/**
 * A verified frame: its records lie in `views` from `start` to `end`. Valid during the visit only.
 */
export interface Frame {
  readonly views: Views;
  readonly start: number;
  readonly end: number;
  readonly firstLsn: number;
  readonly records: number;
}

export interface WalReport {
  /** LSN of the last record; one less than the file's first LSN when there is none. */
  lastLsn: number;
  /** All records up to here were on disk for certain when the file was written. */
  durableLsn: number;
  frames: number;
  records: number;
  /** Offset behind the last frame. */
  bytes: number;
  tail: TornTail | null;
  dropped: Dropped[];
}

export interface ReadOptions {
  /** The LSN the next file begins with; null for the newest file. */
  readonly nextFirstLsn: number | null;
  readonly salvage: boolean;
}

/** Reads and checks the header of a file. Throws as decodeHeader() does. */
export function readHeader(
  storage: Storage,
  path: string,
  identity: WalIdentity,
  sequence: number,
): WalHeader {
  const file = storage.open(path, 'read');
  try {
    const block = new Uint8Array(BLOCK_BYTES);
    const bytes = file.read(block, 0);
    return decodeHeader(block.subarray(0, bytes), file.size(), path, identity, sequence);
  } finally {
    file.close();
  }
}

/**
 * What can be known of the header of a file where it is damaged: from its first frame that verifies
 * by what is left of it. Null where there is none.
 */
export function rescueHeader(
  storage: Storage,
  path: string,
  identity: WalIdentity,
  sequence: number,
): WalHeader | null {
  const file = storage.open(path, 'read');
  try {
    const window = new Window(file, true);
    if (!window.load(0, BLOCK_BYTES)) return null;
    const guesses = guessHeaders(window.views.u8.slice(0, BLOCK_BYTES), identity, sequence);
    for (let at = BLOCK_BYTES; window.load(at, FRAME_HEADER_BYTES); at += BLOCK_BYTES) {
      const salt = window.views.u32[(window.at(at) >> 2) + 2];
      for (const guess of guesses) {
        const header = { ...guess, salt, firstLsn: 1 };
        const { problem, views, at: found } = examine(window, header, at, null);
        if (problem === null) return { ...header, firstLsn: views.f64[(found >> 3) + 2] };
        window.load(at, FRAME_HEADER_BYTES);
      }
    }
    return null;
  } finally {
    file.close();
  }
}

/**
 * Visits every frame of the log in this file, in order. Throws OMEN_CORRUPT naming file and offset.
 */
export function readWal(
  storage: Storage,
  path: string,
  header: WalHeader,
  options: ReadOptions,
  visit: (frame: Frame) => void,
): WalReport {
  const file = storage.open(path, 'read');
  try {
    return readFrames(new Window(file, options.salvage), path, header, options, visit);
  } finally {
    file.close();
  }
}

function readFrames(
  window: Window,
  path: string,
  header: WalHeader,
  { nextFirstLsn, salvage }: ReadOptions,
  visit: (frame: Frame) => void,
): WalReport {
  const report: WalReport = {
    lastLsn: header.firstLsn - 1,
    durableLsn: header.firstLsn - 1,
    frames: 0,
    records: 0,
    bytes: BLOCK_BYTES,
    tail: null,
    dropped: [],
  };
  let offset = BLOCK_BYTES;
  while (nextFirstLsn === null || report.lastLsn + 1 < nextFirstLsn) {
    const expectedLsn = report.lastLsn + 1;
    const found = examine(window, header, offset, expectedLsn);
    if (found.problem === null) {
      accept(report, found, visit);
      offset = report.bytes = offset + wholeBlocks(found.length);
      continue;
    }
    const rest = scan(window, header, offset, expectedLsn);
    if (rest.nextLsn === expectedLsn) {
      offset = rest.next; // only a frame without records is missing
      continue;
    }
    const acknowledged = nextFirstLsn !== null || rest.durableLsn >= expectedLsn;
    if (!acknowledged) {
      const claimed = found.length > FRAME_BYTES_MAX ? 0 : wholeBlocks(found.length);
      const end = Math.min(Math.max(rest.end, offset + claimed), window.fileBytes);
      if (found.length > 0 || end > offset) {
        report.tail = { path, offset, bytes: end - offset, reason: found.problem };
      }
      break;
    }
    if (!salvage) {
      const missing =
        nextFirstLsn === null
          ? `up to ${rest.durableLsn} were acknowledged`
          : `the next file begins with ${nextFirstLsn}`;
      throw new OmenError(
        'OMEN_CORRUPT',
        `${path} is damaged at offset ${offset}, where the record with LSN ${expectedLsn} ` +
          `should be (${found.problem}; ${missing}). ${CORRUPT_ADVICE}`,
      );
    }
    const resumeLsn = Math.min(rest.nextLsn, nextFirstLsn ?? Number.MAX_SAFE_INTEGER);
    report.dropped.push({
      path,
      offset,
      bytes: Math.max(rest.next > 0 ? rest.next : rest.end, offset + BLOCK_BYTES) - offset,
      firstLsn: expectedLsn,
      lastLsn: resumeLsn - 1,
      reason: found.problem,
    });
    if (resumeLsn === nextFirstLsn) break;
    offset = rest.next;
    report.lastLsn = resumeLsn - 1;
  }
  return report;
}

/** What stands at an offset. `length` is 0 where nothing even claims to be a frame of this file. */
interface Finding {
  problem: string | null;
  views: Views;
  at: number;
  length: number;
}

function examine(
  window: Window,
  header: WalHeader,
  offset: number,
  expectedLsn: number | null,
): Finding {
  if (!window.load(offset, FRAME_HEADER_BYTES)) {
    return { problem: 'the file ends', views: window.views, at: 0, length: 0 };
  }
  const length = claimedLength(window.views, window.at(offset), header, offset);
  if (length === 0) {
    return { problem: 'there is no frame', views: window.views, at: 0, length };
  }
  const possible = length >= FRAME_HEADER_BYTES && length <= FRAME_BYTES_MAX && length % 8 === 0;
  if (!possible || !window.load(offset, length)) {
    return { problem: `${length} bytes is no length`, views: window.views, at: 0, length };
  }
  const { views } = window; // loading may have replaced them
  const at = window.at(offset);
  let problem = verifyFrame(views, at, length, header);
  const firstLsn = views.f64[(at >> 3) + 2];
  if (problem === null && expectedLsn !== null && firstLsn !== expectedLsn) {
    problem = `it holds LSN ${firstLsn}`;
  }
  return { problem, views, at, length };
}

function accept(report: WalReport, found: Finding, visit: (frame: Frame) => void): void {
  const { views, at, length } = found;
  const firstLsn = views.f64[(at >> 3) + 2];
  const records = views.u32[(at >> 2) + 8];
  visit({ views, start: at + FRAME_HEADER_BYTES, end: at + length, firstLsn, records });
  report.frames++;
  report.records += records;
  report.lastLsn = firstLsn + records - 1;
  report.durableLsn = Math.max(report.durableLsn, views.f64[(at >> 3) + 3]);
}

interface Rest {
  /** The highest durable LSN that a frame there speaks of. */
  durableLsn: number;
  /** Offset and LSN of the first frame that goes on at or after the LSN expected. */
  next: number;
  nextLsn: number;
  /** Offset behind the last such frame, and the last block that is not what the file began with. */
  end: number;
}

/** Looks through the rest of the file. */
function scan(window: Window, header: WalHeader, from: number, expectedLsn: number): Rest {
  const rest = {
    durableLsn: 0,
    next: 0,
    nextLsn: Number.MAX_SAFE_INTEGER,
    end: 0,
  };
  let offset = from;
  while (window.load(offset, FRAME_HEADER_BYTES)) {
    if (!header.recycled && window.hasContent(offset, BLOCK_BYTES)) rest.end = offset + BLOCK_BYTES;
    const found = examine(window, header, offset, null);
    if (found.problem !== null) {
      offset += BLOCK_BYTES;
      continue;
    }
    const { views, at, length } = found;
    const firstLsn = views.f64[(at >> 3) + 2];
    if (firstLsn >= expectedLsn) {
      rest.end = offset + wholeBlocks(length);
      rest.durableLsn = Math.max(rest.durableLsn, views.f64[(at >> 3) + 3]);
      if (rest.next === 0) {
        rest.next = offset;
        rest.nextLsn = firstLsn;
      }
    }
    offset += wholeBlocks(length);
  }
  return rest;
}

/** The part of the file that is in memory, a multiple of blocks; grows to the largest frame. */
class Window {
  views: Views;
  readonly fileBytes: number;
  readonly #file: StorageFile;
  /** Whether blocks that cannot be read count as zeros. */
  readonly #isTolerant: boolean;
  #start = 0;
  #end = 0;

  constructor(file: StorageFile, isTolerant: boolean) {
    this.#file = file;
    this.#isTolerant = isTolerant;
    this.fileBytes = file.size();
    const bytes = Math.min(wholeBlocks(this.fileBytes), WINDOW_BYTES);
    this.views = viewsOf(new ArrayBuffer(bytes));
  }

  /**
   * Makes the bytes from `offset` (a multiple of the block) on available; false where the file ends
   * before.
   */
  load(offset: number, bytes: number): boolean {
    if (offset >= this.#start && offset + bytes <= this.#end) return true;
    if (offset + bytes > this.fileBytes) return false;
    if (bytes > this.views.u8.byteLength) {
      this.views = viewsOf(new ArrayBuffer(wholeBlocks(bytes)));
    }
    this.#start = offset;
    this.#end = offset + this.#read(this.views.u8, offset);
    return offset + bytes <= this.#end;
  }

  #read(target: Uint8Array, offset: number): number {
    try {
      return this.#file.read(target, offset);
    } catch (error) {
      if (!this.#isTolerant || !isDamage(error)) throw error;
    }
    const bytes = Math.min(target.length, this.fileBytes - offset);
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      const block = target.subarray(at, Math.min(at + BLOCK_BYTES, bytes));
      try {
        this.#file.read(block, offset + at);
      } catch (error) {
        if (!isDamage(error)) throw error;
        block.fill(0);
      }
    }
    return bytes;
  }

  /** Where the byte at `offset` of the file, which was loaded, lies in `views`. */
  at(offset: number): number {
    return offset - this.#start;
  }

  /** Whether any of the loaded bytes from `offset` on is not zero. */
  hasContent(offset: number, bytes: number): boolean {
    const from = this.at(offset) >> 2;
    const to = (Math.min(offset + bytes, this.#end) - this.#start) >> 2;
    const { u32 } = this.views;
    for (let i = from; i < to; i++) if (u32[i] !== 0) return true;
    return false;
  }
}
