/**
 * Rows that expire, as bytes: those of `RowEncoder`, with the time in the column that comes last.
 */
import { layoutRow, RowEncoder } from './row.ts';
import { expiresColumn, type Schema } from './schema.ts';

const TWO_32 = 4294967296;

/** @param nowMs tells the time, where rows may expire */
export function rowEncoderOf(schema: Schema, nowMs: () => number): RowEncoder {
  return schema.ttl === undefined ? new RowEncoder(schema) : new ExpiringRowEncoder(schema, nowMs);
}

export class ExpiringRowEncoder extends RowEncoder {
  readonly #nowMs: () => number;
  readonly #ttl: number | null;
  /** The word of the time in a row, and the byte and bit that say that there is none. */
  readonly #word: number;
  readonly #byte: number;
  readonly #bit: number;

  /** @param nowMs tells the time, for rows that live as long as the schema says */
  constructor(schema: Schema, nowMs: () => number) {
    super(schema);
    const column = expiresColumn(schema);
    this.#nowMs = nowMs;
    this.#ttl = typeof schema.ttl === 'number' ? schema.ttl : null;
    this.#word = layoutRow(schema).offsets[column] >>> 2;
    this.#byte = column >>> 3;
    this.#bit = 1 << (column & 7);
  }

  override encode(row: unknown): number {
    return this.encodeUntil(row, this.#ttl === null ? null : this.#nowMs() + this.#ttl);
  }

  /**
   * As `encode`, of a row that expires at that time, in milliseconds since 1970, or, null, never.
   * @throws as `encode`
   */
  encodeUntil(row: unknown, expiresMs: number | null): number {
    const bytes = super.encode(row);
    const { u8, u32 } = this.views;
    if (expiresMs === null) u8[this.#byte] |= this.#bit;
    else u8[this.#byte] &= ~this.#bit;
    const ms = expiresMs ?? 0;
    u32[this.#word] = ms;
    u32[this.#word + 1] = Math.floor(ms / TWO_32);
    return bytes;
  }
}
