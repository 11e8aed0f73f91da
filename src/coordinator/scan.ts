/**
 * Scans: rows of a range as Arrow record batches, from one snapshot. Memory holds one batch at a time,
 * however long the range.
 *
 * Rows of one run that nothing newer reaches into are handed out where they lie, without a copy: the
 * memory of a segment is never used for anything else. Only integer keys, which look-ups have in another
 * form, are written anew.
 */
import type { Schema as ArrowSchema, Data, RecordBatch, Table } from 'apache-arrow';
import type { NamedField } from '../arrow/record-batch.ts';
import { type ErrorCode, OmenError } from '../errors.ts';
import { ownColumns, type Schema } from '../schema/schema.ts';
import type { Filter } from '../view/filter.ts';
import { filteredBlocks } from '../view/filtered-blocks.ts';
import {
  gatherField,
  groupsOf,
  integerKeys,
  isText,
  KEY,
  textLengths,
  wordKeys,
} from '../view/gather.ts';
import type { Block, RowBlocks, Stretch } from '../view/row-blocks.ts';
import type { Segment } from '../view/segment.ts';
import { type ClientMeter, SCAN } from './client-meter.ts';
import { fieldNamed } from './fields.ts';
import type { Iteration } from './range.ts';
import type { Capture } from './reader.ts';

const BATCH_ROWS = 32_768;
/** A batch of long rows ends early. */
const BATCH_BYTES = 16 * 2 ** 20;

/** So long a scan goes on before the event loop has a turn. */
const TURN_MS = 20;

type Arrow = typeof import('../arrow/record-batch.ts');

/** What is scanned, and how. */
export interface ScanPlan {
  readonly schema: Schema;
  readonly iteration: Iteration;
  /** Which of its rows; null: all. */
  readonly filter: Filter | null;
  /** The fields of the batches, by their column's number, or KEY. */
  readonly fields: readonly number[];
  /** Whether the rows of all shards come in one order; else shard follows shard. */
  readonly together: boolean;
  /** Counts it at its first step, times it without what its caller does between, and counts its rows. */
  readonly meter: ClientMeter;
  /** Called once, at the first step. */
  capture(): Capture;
  /** Called before every step; throws once the scan may not go on. */
  throwIfOver(): void;
}

/**
 * The fields of the batches: all, or those that are named, in their order.
 * @throws OMEN_UNKNOWN_COLUMN, OMEN_INVALID_RANGE
 */
export function parseFields(schema: Schema, names: unknown): number[] {
  if (names === undefined) return [KEY, ...ownColumns(schema).keys()];
  const invalid = (message: string) => new OmenError('OMEN_INVALID_RANGE', message);
  if (!Array.isArray(names)) throw invalid('"columns" is an array of names.');
  if (new Set(names).size !== names.length) throw invalid('"columns" names a column twice.');
  return names.map((name) => fieldNamed(schema, name));
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new OmenError('OMEN_ABORTED', 'It was aborted by its signal.', { cause: signal.reason });
}

/** Record batches, one after the other; or all that are left, as a table or as bytes. */
export class Scan implements AsyncIterableIterator<RecordBatch, undefined> {
  readonly #plan: ScanPlan;
  readonly #batches: AsyncGenerator<RecordBatch, undefined, undefined>;

  /** Use `scan` of a database. */
  constructor(plan: ScanPlan) {
    this.#plan = plan;
    this.#batches = batchesOf(plan);
  }

  next(): Promise<IteratorResult<RecordBatch, undefined>> {
    return this.#batches.next();
  }

  return(): Promise<IteratorResult<RecordBatch, undefined>> {
    return this.#batches.return(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The batches that are left as one Arrow table. @throws as the iterator */
  async toTable(): Promise<Table> {
    const arrow = await import('../arrow/record-batch.ts');
    const batches = await Array.fromAsync(this);
    return arrow.toTable(arrow.toArrowSchema(namedFields(this.#plan)), batches);
  }

  /**
   * The batches that are left as bytes in Arrow's IPC stream format; each is made when it is read.
   * Cancelling the stream ends the scan; it fails as the iterator throws.
   */
  toIPC(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const batches = this.#batches;
    const plan = this.#plan;
    let encoder: InstanceType<Arrow['StreamEncoder']> | null = null;
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          if (encoder === null) {
            const arrow = await import('../arrow/record-batch.ts');
            encoder = new arrow.StreamEncoder(arrow.toArrowSchema(namedFields(plan)));
          }
          const { done, value } = await batches.next();
          controller.enqueue(done ? encoder.finish() : encoder.encode(value));
          if (done) controller.close();
        },
        async cancel() {
          await batches.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function namedFields({ schema, fields }: ScanPlan): NamedField[] {
  return fields.map((field) =>
    field === KEY ? { name: 'key', type: schema.key, nullable: false } : schema.columns[field],
  );
}

async function* batchesOf(plan: ScanPlan): AsyncGenerator<RecordBatch, undefined, undefined> {
  const { schema, iteration, filter, fields, together } = plan;
  plan.throwIfOver();
  const arrow = await import('../arrow/record-batch.ts');
  plan.throwIfOver();
  const { meter } = plan;
  meter.begin(SCAN);
  if (iteration.isEmpty) return;
  const stopwatch = new Stopwatch();
  let code: ErrorCode | null = null;
  const snapshot = plan.capture();
  try {
    const batches = new BatchMaker(schema, fields, arrow, arrow.toArrowSchema(namedFields(plan)));
    const { shards } = snapshot;
    const { reverse } = iteration;
    const blocks = filteredBlocks(schema, shards, iteration, reverse, together, filter);
    let turned = performance.now();
    for (const block of upTo(blocks, iteration.limit)) {
      for (const batch of batches.of(block)) {
        plan.throwIfOver();
        meter.rows(SCAN, batch.numRows);
        stopwatch.stop();
        yield batch;
        stopwatch.start();
      }
      // What reads a scan without waiting for anything else would let nobody have a turn, not even its
      // signal.
      if (performance.now() - turned > TURN_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        turned = performance.now();
      }
      plan.throwIfOver();
    }
  } catch (error) {
    meter.failed(error);
    if (error instanceof OmenError) code = error.code;
    throw error;
  } finally {
    snapshot.release();
    stopwatch.stop();
    meter.took(SCAN, stopwatch.ms, code);
  }
}

/** Runs from the beginning; to stop it twice is to stop it once. */
class Stopwatch {
  ms = 0;
  #startMs: number | null = performance.now();

  start(): void {
    this.#startMs = performance.now();
  }

  stop(): void {
    if (this.#startMs !== null) this.ms += performance.now() - this.#startMs;
    this.#startMs = null;
  }
}

/** Blocks of so many rows in all. */
function* upTo(blocks: RowBlocks, limit: number): Generator<Block, void, undefined> {
  let left = limit;
  while (left > 0) {
    const block = blocks.next(Math.min(left, BATCH_ROWS));
    if (block === null) return;
    const count = Math.min(left, block.count);
    left -= count;
    yield { ...block, count };
  }
}

class BatchMaker {
  readonly #schema: Schema;
  readonly #fields: readonly number[];
  readonly #arrow: Arrow;
  readonly #arrowSchema: ArrowSchema;
  readonly #hasText: boolean;
  /** The fields of the segment that the last stretch was of, where they lie; the key is null. */
  #placed: { readonly segment: Segment; readonly fields: readonly (Data | null)[] } | null = null;

  constructor(schema: Schema, fields: readonly number[], arrow: Arrow, arrowSchema: ArrowSchema) {
    this.#schema = schema;
    this.#fields = fields;
    this.#arrow = arrow;
    this.#arrowSchema = arrowSchema;
    this.#hasText = fields.some((field) => isText(schema, field));
  }

  *of(block: Block): Generator<RecordBatch, void, undefined> {
    for (let from = 0; from < block.count; ) {
      const { segment } = block;
      const left = block.count - from;
      if (segment !== null) {
        const start = block.start + from;
        const count = this.#hasText ? this.#rowsInPlace(segment, start, left) : left;
        yield this.#inPlace({ segment, start, count });
        from += count;
      } else {
        const to = this.#hasText ? this.#endOf(block, from) : block.count;
        yield this.#gathered(block, from, to);
        from = to;
      }
    }
  }

  /** How many of `count` rows a batch takes, one at least. */
  #rowsInPlace(segment: Segment, start: number, count: number): number {
    let rows = count;
    while (rows > 1 && this.#textBytes(segment, start, rows) > BATCH_BYTES) rows >>>= 1;
    return rows;
  }

  #textBytes(segment: Segment, start: number, rows: number): number {
    let bytes = 0;
    for (const field of this.#fields) {
      if (!isText(this.#schema, field)) continue;
      const offsets = field === KEY ? segment.keyOffsets : segment.columns[field].offsets;
      bytes += offsets[start + rows] - offsets[start];
    }
    return bytes;
  }

  /** Where a batch ends that begins at row `from`, and holds a row at least. */
  #endOf(block: Block, from: number): number {
    const groups = groupsOf(block, from);
    const lengths = textLengths(this.#schema, this.#fields, groups, block.count - from);
    let bytes = 0;
    let count = 0;
    while (count < lengths.length && (count === 0 || bytes < BATCH_BYTES))
      bytes += lengths[count++];
    return from + count;
  }

  #gathered(block: Block, from: number, to: number): RecordBatch {
    const groups = groupsOf(block, from, to);
    const rows = to - from;
    const children = this.#fields.map((field) => {
      const { data, validity, offsets, nulls } = gatherField(this.#schema, field, groups, rows);
      return this.#arrow.toData(this.#typeOf(field), rows, data, validity, offsets, nulls);
    });
    return this.#arrow.toRecordBatch(this.#arrowSchema, rows, children);
  }

  #typeOf(field: number) {
    return field === KEY ? this.#schema.key : this.#schema.columns[field].type;
  }

  #inPlace({ segment, start, count }: Stretch): RecordBatch {
    const placed = this.#placedFields(segment);
    const children = this.#fields.map(
      (_, i) => placed[i]?.slice(start, count) ?? this.#keys(segment, start, count),
    );
    return this.#arrow.toRecordBatch(this.#arrowSchema, count, children);
  }

  #placedFields(segment: Segment): readonly (Data | null)[] {
    if (this.#placed?.segment === segment) return this.#placed.fields;
    const { layout, body } = segment.handle;
    const fields = this.#fields.map((field) => {
      const type = this.#typeOf(field);
      const isInForm = segment.form === 'bytes' || this.#schema.key === 'float64';
      if (field === KEY && !(isInForm && segment.form !== 'words')) return null;
      const place = field === KEY ? layout.key : layout.columns[field];
      return this.#arrow.placedData(type, place, layout.rows, body);
    });
    this.#placed = { segment, fields };
    return fields;
  }

  #keys(segment: Segment, start: number, count: number): Data {
    const { key } = this.#schema;
    const values =
      segment.form === 'f64'
        ? integerKeys(segment.keysF64, start, count)
        : wordKeys(key, segment.keysU32, start, count);
    return this.#arrow.toData(key, count, values, null, null, 0);
  }
}
