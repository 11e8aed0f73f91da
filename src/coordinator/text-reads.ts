/**
 * Reads that give and take text where a database has bytes: strings for binary keys and columns, decoded
 * where they lie, without a copy of the bytes.
 */
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { Source } from './ordered-reads.ts';
import type { Reader } from './reader.ts';
import { Reads } from './reads.ts';
import type { Closable } from './rows.ts';

type TextOr<T> = T extends Uint8Array ? string : T;

/** A key or a row with strings for bytes. */
export type TextOf<T> = T extends Uint8Array
  ? string
  : T extends object
    ? { [Name in keyof T]: TextOr<T[Name]> }
    : T;

/** What a key is given as: bytes that are no text, as bytes. */
export type TextInputOf<T> = T extends Uint8Array ? string | Uint8Array : T;

/** What is read as text: a database or a snapshot of it. */
export interface Read {
  readonly source: Source;
  readonly reader: Reader;
  readonly owner: Closable;
  readonly captured: readonly ShardSnapshot[] | null;
}

export class TextReads<Key, Row, KeyInput, RowInput> extends Reads<Key, Row, KeyInput, RowInput> {
  protected readonly source: Source;
  protected readonly reader: Reader;
  protected readonly owner: Closable;
  protected readonly captured: readonly ShardSnapshot[] | null;

  /** Use `text()` of a database or a snapshot. */
  constructor({ source, reader, owner, captured }: Read) {
    super();
    this.source = recoded(source, reader);
    this.reader = reader;
    this.owner = owner;
    this.captured = captured;
  }

  /** The row of a key, or undefined. @throws OMEN_INVALID_KEY, OMEN_UNSAFE_INTEGER, OMEN_CLOSED */
  get(key: KeyInput): Row | undefined {
    this.owner.throwIfClosed();
    this.reader.countGet();
    return this.reader.getIn(this.captured, key, true, this.source) as Row | undefined;
  }

  has(key: KeyInput): boolean {
    this.owner.throwIfClosed();
    this.reader.countGet();
    return this.reader.getIn(this.captured, key, false, this.source) === true;
  }
}

function recoded(source: Source, { text }: Reader): Source {
  return {
    ...text,
    isByRange: source.isByRange,
    settled: () => source.settled(),
    now: () => source.now(),
    capture: () => source.capture(),
  };
}
