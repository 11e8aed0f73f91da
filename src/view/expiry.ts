/**
 * When rows expire, read where they lie: from their last column (EXPIRES_COLUMN), which only databases
 * with a `ttl` have. From that millisecond on a row is as good as deleted: it hides older versions of its
 * key as a tombstone does, and is itself not to be seen.
 *
 * The time by which rows are judged is given by whoever reads, one for all that belongs to one instant.
 * It may be older than now: what merges drop had expired before the view that lacks it was there.
 */
import { layoutRow, type Views } from '../schema/row.ts';
import { expiresColumn, type Schema } from '../schema/schema.ts';
import { type Cursor, PieceCursor, WrappedCursor } from './cursor.ts';
import type { Memtable } from './memtable.ts';
import { type Run, RunCursor, Segment } from './segment.ts';
import {
  MAX,
  MIN,
  PRESENT,
  pageAt,
  pagesOf,
  rowsInPage,
  SPREAD,
  STATISTICS_ROWS,
  type Statistics,
  SUM,
} from './statistics.ts';

const TWO_32 = 4294967296;

/** When a row expires, as it is given to callers: null where it never does. */
export function givenTime(expiresMs: number): number | null {
  return expiresMs === Number.POSITIVE_INFINITY ? null : expiresMs;
}

export class Expiry {
  /** The number of the column. */
  readonly column: number;
  /** The word of the time in a row's bytes, and the byte and bit that say that there is none. */
  readonly #word: number;
  readonly #byte: number;
  readonly #bit: number;
  readonly #first = new WeakMap<Segment, number>();

  private constructor(schema: Schema) {
    const column = expiresColumn(schema);
    this.column = column;
    this.#word = layoutRow(schema).offsets[column] >>> 2;
    this.#byte = column >>> 3;
    this.#bit = 1 << (column & 7);
  }

  /** Null where no row of the database can expire. */
  static of(schema: Schema): Expiry | null {
    return schema.ttl === undefined ? null : new Expiry(schema);
  }

  /**
   * When a row expires, in milliseconds since 1970; Infinity: never.
   * @param position its number in the segment, or where its bytes start in the memtable
   */
  at(source: Segment | Memtable, position: number): number {
    if (source instanceof Segment) {
      const { validity, i32, u32 } = source.columns[this.column];
      if ((validity[position >>> 3] & (1 << (position & 7))) === 0) return Number.POSITIVE_INFINITY;
      return i32[2 * position + 1] * TWO_32 + u32[2 * position];
    }
    return this.inRow(source.arena, position);
  }

  /** The same of a row whose bytes start at `at`. */
  inRow({ u8, i32, u32 }: Views, at: number): number {
    if ((u8[at + this.#byte] & this.#bit) !== 0) return Number.POSITIVE_INFINITY;
    const word = (at >>> 2) + this.#word;
    return i32[word + 1] * TWO_32 + u32[word];
  }

  /** Writes 1 or 0 for each of the rows at `places`, as they are in force at that time or not. */
  testRows(source: Segment | Memtable, places: Uint32Array, nowMs: number, mask: Uint8Array): void {
    if (source instanceof Segment) {
      const { validity, i32, u32 } = source.columns[this.column];
      for (let i = 0; i < places.length; i++) {
        const row = places[i];
        const isNull = ((validity[row >>> 3] >>> (row & 7)) & 1) ^ 1;
        mask[i] = isNull | Number(i32[2 * row + 1] * TWO_32 + u32[2 * row] > nowMs);
      }
      return;
    }
    const { u8, i32, u32 } = source.arena;
    for (let i = 0; i < places.length; i++) {
      const word = (places[i] >>> 2) + this.#word;
      const isNull = Number((u8[places[i] + this.#byte] & this.#bit) !== 0);
      mask[i] = isNull | Number(i32[word + 1] * TWO_32 + u32[word] > nowMs);
    }
  }

  /** When the row expires that a cursor stands on, once it is resolved; Infinity for a tombstone. */
  under({ source }: Cursor): number {
    if (source instanceof PieceCursor) {
      const { memtable, position } = source;
      return memtable.isTombstone(position)
        ? Number.POSITIVE_INFINITY
        : this.at(memtable, memtable.rowAt(position));
    }
    const { segment, position } = source as RunCursor;
    return this.at(segment, position);
  }

  /** When the first row of a run expires: until then, all are in force. Infinity: none ever does. */
  firstOf(run: Run): number {
    let first = Number.POSITIVE_INFINITY;
    for (const segment of run.segments) first = Math.min(first, this.#firstOf(segment));
    return first;
  }

  #firstOf(segment: Segment): number {
    const known = this.#first.get(segment);
    if (known !== undefined) return known;
    const { rows, statistics } = segment;
    let first = Number.POSITIVE_INFINITY;
    for (let page = 0; page < pagesOf(rows); page++) {
      // NaN, where no row of the page ever expires, is smaller than nothing.
      const least = statistics[pageAt(rows, this.column, page) + MIN];
      if (least < first) first = least;
    }
    this.#first.set(segment, first);
    return first;
  }

  /** How many rows of a run have expired: so many at least, by its statistics. */
  expiredOf(run: Run, nowMs: number): number {
    if (this.firstOf(run) > nowMs) return 0;
    let expired = 0;
    for (const { rows, statistics } of run.segments) {
      for (let page = 0; page < pagesOf(rows); page++) {
        expired += expiredIn(statistics, pageAt(rows, this.column, page), nowMs);
      }
    }
    return expired;
  }

  /** How many rows of a run at positions [start, end) are in force: whole pages as statistics have it. */
  countIn({ segments, before }: Run, start: number, end: number, nowMs: number): number {
    let count = 0;
    for (const [i, segment] of segments.entries()) {
      const to = Math.min(segment.rows, end - before[i]);
      for (let from = Math.max(0, start - before[i]); from < to; ) {
        const page = Math.floor(from / STATISTICS_ROWS);
        const pageEnd = Math.min(to, (page + 1) * STATISTICS_ROWS);
        const verdict = this.judgePage(segment, page, nowMs);
        if (verdict === 'all') count += pageEnd - from;
        for (; verdict === 'some' && from < pageEnd; from++) {
          if (this.at(segment, from) > nowMs) count++;
        }
        from = pageEnd;
      }
    }
    return count;
  }

  /** The first row from one on that has not expired; the number of rows where there is none. */
  firstInForce(segment: Segment, from: number, nowMs: number): number {
    const { rows } = segment;
    for (let row = from; row < rows; ) {
      const page = Math.floor(row / STATISTICS_ROWS);
      const end = Math.min(rows, (page + 1) * STATISTICS_ROWS);
      const isOver = this.judgePage(segment, page, nowMs) === 'none';
      while (!isOver && row < end && this.at(segment, row) <= nowMs) row++;
      if (!isOver && row < end) return row;
      row = end;
    }
    return rows;
  }

  /** The last row up to one that has not expired; −1 where there is none. */
  lastInForce(segment: Segment, from: number, nowMs: number): number {
    for (let row = from; row >= 0; ) {
      const page = Math.floor(row / STATISTICS_ROWS);
      const first = page * STATISTICS_ROWS;
      const isOver = this.judgePage(segment, page, nowMs) === 'none';
      while (!isOver && row >= first && this.at(segment, row) <= nowMs) row--;
      if (!isOver && row >= first) return row;
      row = first - 1;
    }
    return -1;
  }

  /** What is known of a page without reading it: whether no row of it is in force, all are, or some may be. */
  judgePage(segment: Segment, page: number, nowMs: number): 'none' | 'all' | 'some' {
    const { rows, statistics } = segment;
    const at = pageAt(rows, this.column, page);
    const present = statistics[at + PRESENT];
    if (present === 0 || statistics[at + MIN] > nowMs) return 'all';
    return present === rowsInPage(rows, page) && statistics[at + MAX] <= nowMs ? 'none' : 'some';
  }

  /**
   * A cursor to which rows that have expired are tombstones.
   * @param isOldest whether nothing is older than what it walks over: of a run then, rows that have expired
   *   are passed over, whole pages of them without being read
   */
  cursor(inner: Cursor, nowMs: number, isOldest: boolean): Cursor {
    const run = isOldest && inner instanceof RunCursor ? inner : null;
    return new ExpiryCursor(this, inner, run, nowMs);
  }
}

/**
 * How many values of a page are not above a bound, at least. Where it lies between the least and the
 * greatest, mean and spread tell: at least the share d² / (d² + variance) lies no higher than d above the
 * mean (Cantelli 1928).
 */
function expiredIn(statistics: Statistics, at: number, nowMs: number): number {
  const present = statistics[at + PRESENT];
  if (present === 0 || statistics[at + MIN] > nowMs) return 0;
  if (statistics[at + MAX] <= nowMs) return present;
  const above = nowMs - statistics[at + SUM] / present;
  // NaN, too, where the sum is none.
  if (!(above > 0)) return 1;
  const variance = statistics[at + SPREAD] / present;
  return Math.max(1, Math.floor((present * above ** 2) / (above ** 2 + variance)));
}

class ExpiryCursor extends WrappedCursor {
  readonly #expiry: Expiry;
  /** The same cursor, where rows that have expired are passed over. */
  readonly #run: RunCursor | null;
  readonly #nowMs: number;

  constructor(expiry: Expiry, inner: Cursor, run: RunCursor | null, nowMs: number) {
    super(inner);
    this.#expiry = expiry;
    this.#run = run;
    this.#nowMs = nowMs;
  }

  override get deleted(): boolean {
    const { inner } = this;
    return inner.deleted || this.#expiry.under(inner) <= this.#nowMs;
  }

  /** Over what has expired: there is nothing that it could hide. */
  protected override pass(forwards: boolean): void {
    const run = this.#run;
    if (run === null) return;
    while (!run.done && this.deleted) {
      const { segment, position } = run;
      if (forwards) run.forwardTo(this.#expiry.firstInForce(segment, position + 1, this.#nowMs));
      else run.backTo(this.#expiry.lastInForce(segment, position - 1, this.#nowMs));
    }
  }
}
