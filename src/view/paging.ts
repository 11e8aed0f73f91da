/**
 * Demand paging of large segments: a database serves before it has read them. The memory of such a segment
 * is there when it is opened, and its pages come in as somebody needs them, while a job reads all of them
 * in the background. Every page is checked before anything in it is believed.
 *
 * - Any thread may bring in a page; two that do so at once write the same bytes. A page's byte is set,
 *   atomically, once all of it is there, and whoever finds it set may read without further ado.
 * - What is asked of a single key goes by `find`, which needs some pages of keys, and those of the row.
 *   Whoever wants more waits for the whole segment (`ensureAll`), which is what opening took before.
 * - Of keys of variable length look-ups read too much for this to pay: those segments are read at once.
 */
import assert from 'node:assert';
import type { ColumnLayout, SegmentLayout } from '../arrow/layout.ts';
import { PAGE_BYTES } from '../arrow/pages.ts';
import { readPagesOf } from '../arrow/reader.ts';
import type { KeyType } from '../schema/schema.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import { fileKeysToResident, type Segment } from './segment.ts';

/** How the paging of a segment crosses threads. */
export interface PagingHandle {
  readonly path: string;
  readonly fileBytes: number;
  /** Where the body starts in the file. */
  readonly bodyOffset: number;
  /** CRC-32 of every page of the file. */
  readonly pageCrcs: Uint32Array;
  /** Of every page of the file, whether what the body has of it is there. */
  readonly present: Uint8Array<SharedArrayBuffer>;
  /** How many pages are to come, and whether nobody waits for them any more: `LEFT` and `STOPPED`. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

const LEFT = 0;
const STOPPED = 1;
/** Read at once by whoever wants all. */
const PIECE_BYTES = 64 * PAGE_BYTES;
const KEY_BYTES = 8;
/** By how much the search widens where a key is not where it is predicted. */
const WIDER = 64;

/** For a segment of which nothing has been read yet. */
export function newPaging(
  path: string,
  fileBytes: number,
  bodyOffset: number,
  { bodyBytes }: SegmentLayout,
  pageCrcs: Uint32Array,
): PagingHandle {
  const first = Math.floor(bodyOffset / PAGE_BYTES);
  const end = Math.ceil((bodyOffset + bodyBytes) / PAGE_BYTES);
  const present = new Uint8Array(new SharedArrayBuffer(end));
  present.fill(1, 0, first);
  const words = new Int32Array(new SharedArrayBuffer(8));
  words[LEFT] = end - first;
  return { path, fileBytes, bodyOffset, pageCrcs, present, words };
}

/** Whether all pages are there. */
export function isPagedIn({ words }: PagingHandle): boolean {
  return Atomics.load(words, LEFT) === 0;
}

export class Paging {
  readonly #segment: Segment;
  readonly #handle: PagingHandle;
  readonly #storage: Storage;
  /** Open while pages are brought in. */
  #file: StorageFile | null = null;

  /** @param storage null: a segment whose pages are to come was given to somebody who cannot read them */
  constructor(segment: Segment, handle: PagingHandle, storage: Storage | null) {
    assert.ok(storage !== null, 'the segment is not resident');
    assert.ok(segment.form !== 'bytes');
    this.#segment = segment;
    this.#handle = handle;
    this.#storage = storage;
  }

  get isComplete(): boolean {
    return isPagedIn(this.#handle);
  }

  /** Lets `ensureAllUnlessStopped` end early, in whatever thread it is. */
  stop(): void {
    Atomics.store(this.#handle.words, STOPPED, 1);
  }

  /**
   * Brings in all pages that are to come, from the end: whoever does so meanwhile began in front.
   * @throws OMEN_CORRUPT naming file and offset, what the storage throws
   */
  ensureAll(): void {
    if (this.isComplete) return;
    this.#reading(() => {
      for (let piece = this.#pieces - 1; piece >= 0; piece--) this.#ensurePiece(piece);
    });
  }

  /** The same from the start, as long as somebody waits for it. */
  ensureAllUnlessStopped(): void {
    const { words } = this.#handle;
    this.#reading(() => {
      for (let piece = 0; piece < this.#pieces && Atomics.load(words, STOPPED) === 0; piece++) {
        this.#ensurePiece(piece);
      }
    });
  }

  get #pieces(): number {
    return Math.ceil(this.#layout.bodyBytes / PIECE_BYTES);
  }

  #ensurePiece(piece: number): void {
    const at = piece * PIECE_BYTES;
    this.#ensure(at, Math.min(PIECE_BYTES, this.#layout.bodyBytes - at));
  }

  /** Brings in the keys of the rows [from, to). @throws as `ensureAll` */
  ensureKeys(from: number, to: number): void {
    this.#reading(() => this.#ensureKeys(from, to));
  }

  #ensureKeys(from: number, to: number): void {
    this.#ensure(this.#layout.key.data.offset + KEY_BYTES * from, KEY_BYTES * (to - from));
  }

  /**
   * The row of a key, with everything of it brought in, or −1. Halves a stretch around the prediction whose
   * ends enclose the key, so that the answer is right whatever the model says.
   * @throws as `ensureAll`
   */
  find(hi: number, lo: number, number: number): number {
    return this.#reading(() => this.#find(hi, lo, number));
  }

  #find(hi: number, lo: number, number: number): number {
    const { rows } = this.#segment;
    const guess = this.#segment.predict(hi, lo, number);
    for (let reach = this.#segment.handle.model.windowMax + 1; ; reach *= WIDER) {
      const from = Math.max(0, guess - reach);
      const to = Math.min(rows, guess + reach);
      this.#ensureKeys(from, to);
      const isBefore = from > 0 && this.#compare(from, hi, lo) > 0;
      const isBehind = to < rows && this.#compare(to - 1, hi, lo) < 0;
      if (!isBefore && !isBehind) return this.#between(from, to, hi, lo);
    }
  }

  #between(from: number, to: number, hi: number, lo: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(middle, hi, lo) < 0) low = middle + 1;
      else high = middle;
    }
    if (low === to || this.#compare(low, hi, lo) !== 0) return -1;
    this.#ensureRow(low);
    return low;
  }

  /** How a row's key compares with the given one. */
  #compare(row: number, hi: number, lo: number): number {
    return this.#segment.hi(row) - hi || this.#segment.lo(row) - lo;
  }

  #ensureRow(row: number): void {
    const { flags, columns } = this.#layout;
    if (flags !== null) this.#ensure(flags.offset + row, 1);
    for (const [i, column] of columns.entries()) this.#ensureValue(i, column, row);
  }

  #ensureValue(column: number, { validity, offsets, data }: ColumnLayout, row: number): void {
    const { rows, columns } = this.#segment;
    if (validity !== null) this.#ensure(validity.offset + (row >>> 3), 1);
    if (offsets !== null) {
      this.#ensure(offsets.offset + 4 * row, 8);
      const ends = columns[column].offsets;
      this.#ensure(data.offset + ends[row], ends[row + 1] - ends[row]);
      return;
    }
    const width = Math.floor(data.length / rows);
    if (width > 0) this.#ensure(data.offset + width * row, width);
    else this.#ensure(data.offset + (row >>> 3), 1);
  }

  get #layout(): SegmentLayout {
    return this.#segment.handle.layout;
  }

  /** Runs what may bring in pages; closes the file afterwards, where it was opened. */
  #reading<T>(work: () => T): T {
    try {
      return work();
    } finally {
      this.#file?.close();
      this.#file = null;
    }
  }

  /** Brings in a stretch of the body. */
  #ensure(offset: number, length: number): void {
    if (length === 0) return;
    const { bodyOffset, present } = this.#handle;
    const end = Math.ceil((bodyOffset + offset + length) / PAGE_BYTES);
    for (let page = Math.floor((bodyOffset + offset) / PAGE_BYTES); page < end; page++) {
      if (Atomics.load(present, page) === 1) continue;
      let pages = 1;
      while (page + pages < end && Atomics.load(present, page + pages) === 0) pages++;
      this.#bringIn(page, pages);
      page += pages - 1;
    }
  }

  #bringIn(first: number, pages: number): void {
    const { path, bodyOffset, present, words } = this.#handle;
    this.#file ??= this.#storage.open(path, 'read');
    const bytes = readPagesOf(path, this.#file, this.#handle, first, pages);
    const { handle, keyType } = this.#segment;
    const { body, layout } = handle;
    // Where in the body the bytes begin; the first page has the head of the file as well.
    const from = first * PAGE_BYTES - bodyOffset;
    keysToResident(keyType, handle, bytes, from);
    const target = new Uint8Array(body, Math.max(0, from), layout.bodyBytes - Math.max(0, from));
    target.set(bytes.subarray(Math.max(0, -from), layout.bodyBytes - from));
    for (let page = first; page < first + pages; page++) {
      if (Atomics.exchange(present, page, 1) === 0) Atomics.sub(words, LEFT, 1);
    }
  }
}

/** Turns the keys among some bytes of the body, which begin at `from`, into their resident form. */
function keysToResident(
  type: KeyType,
  { layout, form }: Segment['handle'],
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
): void {
  const { offset } = layout.key.data;
  const start = Math.max(offset, from);
  const end = Math.min(offset + KEY_BYTES * layout.rows, from + bytes.length);
  if (start < end)
    fileKeysToResident(type, form, bytes.buffer, start - from, (end - start) / KEY_BYTES);
}
