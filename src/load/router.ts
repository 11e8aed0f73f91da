/**
 * Rows from wherever they come to chunks of the shards they belong to, checked as `put` checks them. Those of
 * one shard keep the order in which they came.
 */
import type { RecordBatch } from 'apache-arrow';
import { ExpiringRowEncoder, rowEncoderOf } from '../schema/expiring-row.ts';
import { hashKey, KeyCodec, shardOfHash } from '../schema/key.ts';
import { hashBytes, type KeyMemory, keyMemory, wordOfBytes } from '../schema/key-bytes.ts';
import type { RowEncoder, Views } from '../schema/row.ts';
import type { Schema } from '../schema/schema.ts';
import type { Bound } from '../view/bounds.ts';
import { type Partitioning, shardOf, splitsOf } from '../view/partition.ts';
import type { SegmentHandle } from '../view/segment.ts';
import { appendRows, columnsOf, isSafe, type SourceColumns } from './batch-columns.ts';
import { ChunkBuilder } from './chunk.ts';
import { type BatchFields, fieldsOf, type Mapping } from './record-batch.ts';

/** What rows are spread by. Plain data. */
export interface Target {
  readonly schema: Schema;
  readonly shards: number;
  readonly partitioning: Partitioning;
  /** What a chunk of a shard may take, about. */
  readonly chunkBytes: number;
  /** When the load began: rows that expire count from then on. */
  readonly nowMs: number;
}

/** Takes a chunk of a shard that is complete. */
export type Emit = (shard: number, chunk: SegmentHandle) => void;

/** Rows that are spread over the shards before their columns are copied: few enough to stay in a cache. */
const BLOCK_ROWS = 4096;
/** Values of any length that are copied before the builder is asked whether it is full, in bytes. */
const STRIDE_BYTES = 2 ** 20;
const SIGN = 0x80000000;

export class Router {
  readonly schema: Schema;
  readonly #target: Target;
  readonly #emit: Emit;
  readonly key: KeyCodec;
  readonly #row: RowEncoder;
  readonly #splits: readonly Bound[];
  readonly #builders: (ChunkBuilder | null)[];
  /** Rows taken so far. */
  rows = 0;
  #fields: BatchFields | null = null;
  /** Of a block: the sortable words of each row's key, and for each shard its rows. */
  readonly #hi = new Uint32Array(BLOCK_ROWS);
  readonly #lo = new Uint32Array(BLOCK_ROWS);
  readonly #shardRows: readonly Uint32Array[];
  readonly #counts: Uint32Array;

  constructor(target: Target, emit: Emit) {
    const { schema, shards, partitioning } = target;
    this.schema = schema;
    this.#target = target;
    this.#emit = emit;
    this.key = new KeyCodec(schema.key, true);
    this.#row = rowEncoderOf(schema, () => target.nowMs);
    this.#splits = splitsOf(partitioning, schema.key);
    this.#builders = Array.from({ length: shards }, () => null);
    this.#shardRows = Array.from({ length: shards }, () => new Uint32Array(BLOCK_ROWS));
    this.#counts = new Uint32Array(shards);
  }

  /**
   * @param expiresMs when the row expires, null: never; undefined: as the database says
   * @throws what `put` throws; then nothing was taken
   */
  add(key: unknown, row: unknown, expiresMs?: number | null): void {
    this.key.encode(key);
    const encoder = this.#row;
    if (expiresMs !== undefined && encoder instanceof ExpiringRowEncoder) {
      encoder.encodeUntil(row, expiresMs);
    } else {
      encoder.encode(row);
    }
    this.take(this.#row.views);
  }

  /** Adds a row, encoded, whose key is in the codec. */
  take(row: Views): void {
    const { hi, lo, bytes } = this.key;
    const shard = this.#shardOf();
    const builder = this.#builder(shard);
    builder.add(hi, lo, bytes, row);
    this.rows++;
    if (builder.isFull) this.#give(shard);
  }

  #shardOf(): number {
    const { partitioning, shards } = this.#target;
    if (partitioning.kind === 'hash') return shardOfHash(this.key.hash(), shards);
    return shardOf(this.#splits, this.key);
  }

  #builder(shard: number): ChunkBuilder {
    const builder = this.#builders[shard] ?? new ChunkBuilder(this.schema, this.#target.chunkBytes);
    this.#builders[shard] = builder;
    return builder;
  }

  #give(shard: number): void {
    const builder = this.#builders[shard];
    this.#builders[shard] = null;
    if (builder !== null && builder.rows > 0) this.#emit(shard, builder.finish());
  }

  /**
   * Takes the rows [from, to) of a batch.
   * @param mapping which fields of the batch are the key and the columns
   * @param reject is told of each row that is not taken, and why
   * @throws OMEN_UNKNOWN_COLUMN and OMEN_MISSING_COLUMN, where the fields do not fit; what `reject` throws
   */
  addBatch(
    batch: RecordBatch,
    mapping: Mapping,
    from: number,
    to: number,
    reject: (error: unknown, row: number) => void,
  ): void {
    if (this.#fields?.schema !== batch.schema) {
      this.#fields = fieldsOf(this.schema, batch.schema, mapping);
    }
    const rows = this.#fields.rowsOf(batch);
    const addOne = (i: number): void => {
      try {
        this.add(rows.key(i), rows.row(i), rows.expiresMs(i));
      } catch (error) {
        reject(error, i);
      }
    };
    const { places } = this.#fields;
    if (this.#columns?.batch !== batch) {
      this.#columns = { batch, columns: columnsOf(this.schema, batch, places) };
    }
    const { columns } = this.#columns;
    if (columns === null) {
      for (let i = from; i < to; i++) addOne(i);
      return;
    }
    for (let start = from; start < to; start += BLOCK_ROWS) {
      this.#addBlock(columns, start, Math.min(to, start + BLOCK_ROWS), addOne);
    }
  }

  #columns: { readonly batch: RecordBatch; readonly columns: SourceColumns | null } | null = null;

  /** @param addOne takes a row whose key is no ordinary one, or refuses it */
  #addBlock(
    { key, columns, textBytesMax }: SourceColumns,
    from: number,
    to: number,
    addOne: (row: number) => void,
  ): void {
    const counts = this.#counts.fill(0);
    const memory =
      key.offsets.length > 0
        ? keyMemory(key.u8.buffer, key.u8.byteOffset, key.u8.byteLength)
        : null;
    for (let row = from; row < to; row++) {
      const shard =
        memory === null
          ? this.#spread(key.u32, row, from)
          : this.#spreadText(memory, key.offsets, row);
      if (shard < 0) addOne(row);
      else this.#shardRows[shard][counts[shard]++] = row;
    }
    for (let shard = 0; shard < counts.length; shard++) {
      const rows = this.#shardRows[shard];
      for (let done = 0; done < counts[shard]; ) {
        const builder = this.#builder(shard);
        const at = builder.rows;
        const few = Math.max(1, Math.floor(STRIDE_BYTES / Math.max(1, textBytesMax)));
        const count = Math.min(counts[shard] - done, builder.rowsMax - at, few);
        if (memory !== null) appendRows(builder.key, at, key, rows, done, count);
        else {
          const { u32 } = builder.key;
          for (let i = 0; i < count; i++) {
            const place = rows[done + i] - from;
            u32[2 * (at + i)] = this.#lo[place];
            u32[2 * (at + i) + 1] = this.#hi[place];
          }
        }
        for (let i = 0; i < columns.length; i++) {
          appendRows(builder.columns[i], at, columns[i], rows, done, count);
        }
        builder.rows += count;
        this.rows += count;
        done += count;
        if (builder.isFull) this.#give(shard);
      }
    }
  }

  /** The shard of a row's key of fixed width, whose words are kept; −1 for one that is to be looked at. */
  #spread(words: Uint32Array, row: number, from: number): number {
    let lo = words[2 * row];
    let hi = words[2 * row + 1];
    const { key } = this.schema;
    if (key === 'float64') {
      const magnitude = hi & 0x7fffffff;
      // No number, or −0.
      if (magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && lo !== 0)) return -1;
      if (magnitude === 0 && lo === 0) hi = 0;
      const isNegative = hi >= SIGN;
      hi = (isNegative ? ~hi : hi ^ SIGN) >>> 0;
      if (isNegative) lo = ~lo >>> 0;
    } else if (key !== 'uint64') {
      if (key === 'timestamp' && !isSafe(hi)) return -1;
      hi = (hi ^ SIGN) >>> 0;
    }
    this.#hi[row - from] = hi;
    this.#lo[row - from] = lo;
    const { partitioning, shards } = this.#target;
    if (shards === 1) return 0;
    if (partitioning.kind === 'hash') return shardOfHash(hashKey(hi, lo), shards);
    return shardOf(this.#splits, { hi, lo, bytes: null });
  }

  #spreadText(memory: KeyMemory, offsets: Int32Array, row: number): number {
    const { partitioning, shards } = this.#target;
    if (shards === 1) return 0;
    const [start, end] = [offsets[row], offsets[row + 1]];
    if (partitioning.kind === 'hash') return shardOfHash(hashBytes(memory, start, end), shards);
    const [hi, lo] = [wordOfBytes(memory, start, end), wordOfBytes(memory, start + 4, end)];
    return shardOf(this.#splits, { hi, lo, bytes: { memory, start, end } });
  }

  /** Gives away what is left. */
  finish(): void {
    for (const shard of this.#builders.keys()) this.#give(shard);
  }
}
