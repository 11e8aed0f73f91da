/**
 * Records of CSV and TSV as RFC 4180 has them, straight from bytes: values in quotes may hold delimiters,
 * line ends, and quotes, doubled; lines end with LF or CRLF; empty lines are passed over. Nothing is
 * allocated a record.
 */

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;

/** How a value stands in its record: bare, in quotes, or in quotes with doubled ones to be undone. */
export const BARE = 0;
export const QUOTED = 1;
export const DOUBLED = 2;

/** What is wrong with a record as such. */
export type Fault = 'a quote is left open' | 'something follows a closing quote';

export class CsvRecords {
  readonly bytes: Uint8Array;
  /** Where the values of the record lie, without their quotes. */
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  kinds = new Uint8Array(64);
  /** How many values it has. */
  count = 0;
  /** Where it begins, and the line it begins in, from 0. */
  start = 0;
  line = 0;
  fault: Fault | null = null;
  readonly #delimiter: number;
  #at: number;
  #line = 0;

  /** @param at where the first record begins */
  constructor(bytes: Uint8Array, delimiter: number, at = 0) {
    this.bytes = bytes;
    this.#delimiter = delimiter;
    this.#at = at;
  }

  /** Where the next record begins. */
  get at(): number {
    return this.#at;
  }

  /** Line ends passed so far. */
  get lines(): number {
    return this.#line;
  }

  /** Goes to the next record; false where there is none. */
  next(): boolean {
    const { bytes } = this;
    this.#skipEmpty();
    if (this.#at >= bytes.length) return false;
    this.start = this.#at;
    this.line = this.#line;
    this.count = 0;
    this.fault = null;
    while (this.#value());
    return true;
  }

  #skipEmpty(): void {
    const { bytes } = this;
    for (;;) {
      let at = this.#at;
      if (bytes[at] === RETURN) at++;
      if (bytes[at] !== NEWLINE) return;
      this.#at = at + 1;
      this.#line++;
    }
  }

  /** Reads one value. Whether another one follows. */
  #value(): boolean {
    const { bytes } = this;
    const { length } = bytes;
    const delimiter = this.#delimiter;
    let at = this.#at;
    let kind = BARE;
    let start = at;
    let end = -1;
    if (bytes[at] === QUOTE) {
      kind = QUOTED;
      start = ++at;
      for (; at < length; at++) {
        const byte = bytes[at];
        if (byte === NEWLINE) this.#line++;
        if (byte !== QUOTE) continue;
        if (bytes[at + 1] !== QUOTE) break;
        kind = DOUBLED;
        at++;
      }
      end = at;
      if (at >= length) this.fault ??= 'a quote is left open';
      at++;
    }
    const behind = at;
    while (at < length && bytes[at] !== delimiter && bytes[at] !== NEWLINE) at++;
    const isLast = at >= length || bytes[at] === NEWLINE;
    const stop = isLast && at > behind && bytes[at - 1] === RETURN ? at - 1 : at;
    if (kind === BARE) end = stop;
    else if (stop > behind) this.fault ??= 'something follows a closing quote';
    this.#add(start, end, kind);
    if (at < length && bytes[at] === NEWLINE) this.#line++;
    this.#at = Math.min(length, at + 1);
    // A delimiter at the very end has an empty value behind it.
    if (!isLast && at + 1 >= length) this.#add(length, length, BARE);
    return !isLast && at + 1 < length;
  }

  #add(start: number, end: number, kind: number): void {
    const place = this.count++;
    if (place === this.starts.length) {
      const grown = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
        to.set(from);
        return to;
      };
      this.starts = grown(this.starts, new Int32Array(2 * place));
      this.ends = grown(this.ends, new Int32Array(2 * place));
      this.kinds = grown(this.kinds, new Uint8Array(2 * place));
    }
    this.starts[place] = start;
    this.ends[place] = end;
    this.kinds[place] = kind;
  }

  /** The bytes of a value, its doubled quotes undone. */
  value(place: number): Buffer {
    const { bytes, kinds } = this;
    const [start, end] = [this.starts[place], this.ends[place]];
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (kinds[place] !== DOUBLED) return raw;
    const undone = Buffer.alloc(raw.length);
    let to = 0;
    for (let at = 0; at < raw.length; at++) {
      if (raw[at] === QUOTE) at++;
      undone[to++] = raw[at];
    }
    return undone.subarray(0, to);
  }

  text(place: number): string {
    return this.value(place).toString('utf8');
  }
}
