/**
 * What may be read, for every key, from acknowledgements alone. Two words a key, in shared memory: the
 * newest version that was acknowledged, and the newest that was issued. A read is right where what it
 * found is no older than what was acknowledged before it began, and no newer than what had been issued
 * when it ended.
 *
 * A word is a version, counted from 1 for each key, and what the write of that version leaves. A key is
 * written by the thread of its lane alone, one write at a time, so `issued` is `acked` or one version
 * more; the write is noted in `issued` before the engine hears of it, in `acked` after its
 * acknowledgement. A write that was refused is taken back. One whose outcome is unknown stays under way
 * until what is there has told (`settle`).
 */
import type { Layout } from './layout.ts';

export const ABSENT = 0;
export const LIVE = 1;
/** A row that expires, at `until`. */
export const EXPIRING = 2;
export type Kind = typeof ABSENT | typeof LIVE | typeof EXPIRING;

/** How far the clock by which the engine judges may differ from that of who asks. */
export const CLOCK_TOLERANCE_MS = 20;

export interface OracleMemory {
  readonly acked: SharedArrayBuffer;
  readonly issued: SharedArrayBuffer;
  readonly until: SharedArrayBuffer;
}

export function wordOf(version: number, kind: Kind): number {
  return ((version << 2) | kind) >>> 0;
}

export function versionOf(word: number): number {
  return word >>> 2;
}

export function kindOf(word: number): number {
  return word & 3;
}

export function oracleMemory({ total, regions: { sessions } }: Layout): OracleMemory {
  return {
    acked: new SharedArrayBuffer(4 * total),
    issued: new SharedArrayBuffer(4 * total),
    until: new SharedArrayBuffer(8 * (sessions.end - sessions.first)),
  };
}

/** What was found in place of a row, where there is none. */
export const NOTHING = -1;

export class Oracle {
  readonly acked: Uint32Array;
  readonly issued: Uint32Array;
  /** When the session whose write was issued last expires, in ms since 1970; NaN: not known any more. */
  readonly until: Float64Array;
  readonly #sessions: number;

  constructor({ regions }: Layout, memory: OracleMemory) {
    this.acked = new Uint32Array(memory.acked);
    this.issued = new Uint32Array(memory.issued);
    this.until = new Float64Array(memory.until);
    this.#sessions = regions.sessions.first;
  }

  isUnderWay(index: number): boolean {
    return Atomics.load(this.issued, index) !== Atomics.load(this.acked, index);
  }

  isLive(index: number): boolean {
    return kindOf(Atomics.load(this.acked, index)) !== ABSENT;
  }

  /** Notes that a write is about to be issued; returns its word. */
  issue(index: number, kind: Kind): number {
    const word = wordOf(versionOf(this.issued[index]) + 1, kind);
    Atomics.store(this.issued, index, word);
    return word;
  }

  acknowledge(index: number, word: number): void {
    Atomics.store(this.acked, index, word);
  }

  /** It was not applied, and never will be. */
  refuse(index: number): void {
    // That of the row before has been overwritten.
    this.forgetUntil(index);
    Atomics.store(this.issued, index, Atomics.load(this.acked, index));
  }

  untilOf(index: number): number {
    return this.until[index - this.#sessions];
  }

  /** That of this very write; NaN where another one has been issued meanwhile. */
  #untilAt(index: number, issued: number): number {
    const until = this.untilOf(index);
    return Atomics.load(this.issued, index) === issued ? until : Number.NaN;
  }

  setUntil(index: number, ms: number): void {
    this.until[index - this.#sessions] = ms;
  }

  /** For keys of all regions: others have none. */
  forgetUntil(index: number): void {
    if (index >= this.#sessions) this.setUntil(index, Number.NaN);
  }

  /**
   * What is wrong with what was read of a key; null: nothing.
   * @param before `acked` before the read began
   * @param found the version of the row, or NOTHING
   * @param nowMs the time when the read began, and the latest it ever was until the read had ended
   */
  fault(
    index: number,
    before: number,
    found: number,
    nowMs: { readonly begun: number; readonly latest: number },
  ): string | null {
    const after = Atomics.load(this.issued, index);
    if (found === NOTHING) return this.#faultOfNothing(index, before, after, nowMs.latest);
    if (found < versionOf(before)) {
      return `a stale row: version ${found}, after ${versionOf(before)} had been acknowledged`;
    }
    if (found > versionOf(after)) {
      return `version ${found}, where no later one than ${versionOf(after)} was written`;
    }
    const word = found === versionOf(after) ? after : found === versionOf(before) ? before : null;
    if (word === null) return null;
    if (kindOf(word) === ABSENT) return `a row of version ${found}, which deleted it`;
    if (kindOf(word) === EXPIRING && word === after) {
      const until = this.#untilAt(index, after);
      if (until <= nowMs.begun - CLOCK_TOLERANCE_MS) return `a row that expired at ${until}`;
    }
    return null;
  }

  #faultOfNothing(index: number, before: number, after: number, latestMs: number): string | null {
    if (kindOf(before) === ABSENT) return null;
    const isSame = before === after;
    if (!isSame && (kindOf(after) !== LIVE || versionOf(after) > versionOf(before) + 1))
      return null;
    if (kindOf(before) === EXPIRING) {
      const until = isSame ? this.#untilAt(index, after) : Number.NaN;
      if (!(until > latestMs + CLOCK_TOLERANCE_MS)) return null;
    }
    return `no row, where version ${versionOf(before)} had been acknowledged`;
  }

  /** What is there, by a read while nothing can change it, decides what was under way. Returns the word. */
  settle(index: number, found: number): number {
    const acked = this.acked[index];
    const issued = this.issued[index];
    if (acked === issued) return acked;
    let word = acked;
    this.forgetUntil(index);
    if (found === versionOf(issued) || (found === NOTHING && kindOf(issued) === ABSENT))
      word = issued;
    // It was written, and has expired; or it was not, and the one before it has.
    else if (found === NOTHING && kindOf(acked) !== ABSENT)
      word = wordOf(versionOf(issued), ABSENT);
    this.acked[index] = word;
    this.issued[index] = word;
    return word;
  }

  /** Rows that must be there from `first` to `end`, where none of them expires. */
  liveRows(first: number, end: number): number {
    let rows = 0;
    for (let index = first; index < end; index++) if ((this.acked[index] & 3) !== ABSENT) rows++;
    return rows;
  }
}
