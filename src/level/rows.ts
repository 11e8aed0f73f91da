/**
 * What the three kinds of iterators of abstract-level have in common: rows of a range, of one instant,
 * that can be sought in. Rows are read synchronously, as many at a call as are asked for; so that
 * whoever reads very many keeps no timer and no socket waiting, the event loop gets a turn every
 * ROWS_PER_TURN rows.
 */
import type { Rows } from '../index.ts';
import {
  type BytesRange,
  type BytesSnapshot,
  bytesOf,
  type Data,
  type DataRange,
  type Format,
  rangeFrom,
  rangeOf,
} from './data.ts';
import { abortError, levelError } from './errors.ts';

export const ROWS_PER_TURN = 1000;

/** The options of an iterator as they come to a database: normalised, the bounds encoded. */
export interface IteratorOptions extends DataRange {
  readonly reverse: boolean;
  readonly keyEncoding: Format;
  readonly valueEncoding: Format;
  readonly keys?: boolean;
  readonly values?: boolean;
  readonly signal?: AbortSignal | null;
}

/** The instant that is read; `isOwn`: it was taken for this iterator, and ends with it. */
export interface Instant {
  readonly snapshot: BytesSnapshot;
  readonly isOwn: boolean;
}

/** How many items an iterator may give, and has given. */
export interface Counted {
  readonly limit: number;
  readonly count: number;
}

/** Which rows of the database are read, and what is handed out of each. */
export interface Reading<Row, Item> {
  rows(snapshot: BytesSnapshot, range: BytesRange): Rows<Row>;
  item(row: Row): Item;
}

/** What an iterator is made of. */
export interface Steps<Item> {
  /** The next item; undefined at the end. */
  next(): Item | undefined | Promise<Item | undefined>;
  /** The next items, at most `size`; none at the end. */
  nextv(size: number): Item[] | Promise<Item[]>;
  /** All that are left. */
  all(): Promise<Item[]>;
  /** Goes on from the first key of the range, in its direction, that is not before the target. */
  seek(target: Data): void;
  close(): void;
}

export class LevelRows<Row, Item> implements Steps<Item> {
  readonly #instant: Instant;
  readonly #counted: Counted;
  readonly #reverse: boolean;
  readonly #signal: AbortSignal | null;
  readonly #range: BytesRange;
  readonly #reading: Reading<Row, Item>;
  /** What is read next, once it is: null, nothing is. */
  #next: BytesRange | null;
  #rows: Rows<Row> | null = null;
  #sinceTurn = 0;

  constructor(
    instant: Instant,
    counted: Counted,
    options: IteratorOptions,
    reading: Reading<Row, Item>,
  ) {
    this.#instant = instant;
    this.#counted = counted;
    this.#reverse = options.reverse;
    this.#signal = options.signal ?? null;
    this.#range = rangeOf(options);
    this.#reading = reading;
    this.#next = this.#range;
  }

  next(): Item | undefined | Promise<Item | undefined> {
    if (this.#signal === null && this.#sinceTurn < ROWS_PER_TURN) return this.#step();
    return this.#turn().then(() => this.#step());
  }

  nextv(size: number): Item[] | Promise<Item[]> {
    if (this.#signal === null && this.#sinceTurn < ROWS_PER_TURN) return this.#fill([], size);
    return this.#turn().then(() => this.#fill([], size));
  }

  async all(): Promise<Item[]> {
    const items: Item[] = [];
    let isTurn = this.#signal !== null || this.#sinceTurn >= ROWS_PER_TURN;
    for (;;) {
      if (isTurn) await this.#turn();
      const before = items.length;
      this.#fill(items, ROWS_PER_TURN);
      if (items.length - before < ROWS_PER_TURN) return items;
      isTurn = true;
    }
  }

  seek(target: Data): void {
    this.#end();
    this.#next = rangeFrom(this.#range, bytesOf(target), this.#reverse);
  }

  close(): void {
    this.#end();
    this.#next = null;
    if (this.#instant.isOwn) this.#instant.snapshot.close();
  }

  #end(): void {
    this.#rows?.return();
    this.#rows = null;
  }

  #step(): Item | undefined {
    this.#sinceTurn++;
    try {
      const rows = this.#rows ?? this.#begin();
      if (rows === null) return undefined;
      const { done, value } = rows.next();
      return done ? undefined : this.#reading.item(value);
    } catch (error) {
      throw levelError(error);
    }
  }

  #fill(items: Item[], size: number): Item[] {
    try {
      const rows = this.#rows ?? this.#begin();
      if (rows === null) return items;
      const reading = this.#reading;
      for (let left = size; left > 0; left--) {
        const { done, value } = rows.next();
        if (done) break;
        items.push(reading.item(value));
      }
      this.#sinceTurn += size;
      return items;
    } catch (error) {
      throw levelError(error);
    }
  }

  #begin(): Rows<Row> | null {
    if (this.#next === null) return null;
    const { limit, count } = this.#counted;
    const range = {
      ...this.#next,
      reverse: this.#reverse,
      ...(limit !== Number.POSITIVE_INFINITY && { limit: Math.max(0, limit - count) }),
    };
    this.#rows = this.#reading.rows(this.#instant.snapshot, range);
    return this.#rows;
  }

  /** Lets others run; afterwards a signal that was aborted meanwhile has its say. */
  async #turn(): Promise<void> {
    if (this.#sinceTurn >= ROWS_PER_TURN) {
      this.#sinceTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    } else {
      await undefined;
    }
    if (this.#signal?.aborted) throw abortError(this.#signal);
  }
}
