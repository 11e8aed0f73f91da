/**
 * The rows that a batch of keys found, as columns: one array a column, in the order of the keys.
 * Numbers that cannot be null are gathered straight from where they lie; other types go by way of rows.
 */
import { OmenError } from '../errors.ts';
import { safeInteger } from '../schema/decode.ts';
import { layoutRow } from '../schema/row.ts';
import type { Column, Schema } from '../schema/schema.ts';
import type { KeyBatch, Source } from '../view/batch-lookup.ts';
import { type Expiry, givenTime } from '../view/expiry.ts';
import { Segment } from '../view/segment.ts';
import type { RowReaders } from '../view/shard-view.ts';

/** Values of one column, one for every key asked for. */
export type ColumnValues = Float64Array | Float32Array | Int32Array | unknown[];

export interface ColumnsFound<Name extends string = string> {
  /** 1 where the key was found, else 0: what a column holds there means nothing. */
  readonly found: Uint8Array;
  /**
   * float64: Float64Array. float32: Float32Array. int32: Int32Array. int64 and timestamp:
   * Float64Array, or an array of bigints for an int64 of a database opened with `bigints`. Columns
   * that can be null, and those of other types: an array of what `get` gives.
   */
  readonly columns: Readonly<Record<Name, ColumnValues>>;
}

/** What the columns of one batch are made from. */
interface Found {
  readonly batch: KeyBatch;
  readonly schema: Schema;
}

/**
 * @param names in the order in which the result has them
 * @throws OMEN_UNKNOWN_COLUMN; OMEN_UNSAFE_INTEGER as `get`
 */
export function columnsOf<Name extends string>(
  batch: KeyBatch,
  readers: RowReaders,
  names: readonly Name[],
  bigints: boolean,
): ColumnsFound<Name> {
  const { schema } = readers;
  const from = { batch, schema };
  const chosen = names.map((name) => indexOf(schema, name));
  const found = new Uint8Array(batch.count);
  for (const { from, to } of batch.found) {
    for (let i = from; i < to; i++) found[batch.order[i]] = 1;
  }
  let rows: unknown[] | null = null;
  const columns: Partial<Record<Name, ColumnValues>> = {};
  for (const [i, index] of chosen.entries()) {
    const column = schema.columns[index];
    if (index === readers.expiry?.column) {
      columns[names[i]] = expiresOf(batch, readers.expiry);
    } else if (isGathered(column, bigints)) {
      columns[names[i]] = gather(from, index);
    } else {
      rows ??= batch.rows(readers);
      columns[names[i]] = valuesOf(schema, rows, names[i]);
    }
  }
  return { found, columns: columns as Record<Name, ColumnValues> };
}

function indexOf(schema: Schema, name: string): number {
  const index = schema.columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  const known = schema.columns.map((column) => column.name).join(', ');
  throw new OmenError('OMEN_UNKNOWN_COLUMN', `There is no column "${name}"; there are ${known}.`);
}

function isGathered({ type, nullable }: Column, bigints: boolean): boolean {
  if (nullable) return false;
  if (type === 'int64') return !bigints;
  return type === 'float64' || type === 'float32' || type === 'int32' || type === 'timestamp';
}

/** Where a source has the values of a column, as words of one type. */
type Views<Words> = (source: Source) => Words;

function gather(from: Found, index: number): ColumnValues {
  const { batch, schema } = from;
  const { type } = schema.columns[index];
  if (type === 'float64') {
    return copy(from, index, 3, new Float64Array(batch.count), (source) =>
      source instanceof Segment ? source.columns[index].f64 : source.arena.f64,
    );
  }
  if (type === 'float32') {
    return copy(from, index, 2, new Float32Array(batch.count), (source) =>
      source instanceof Segment ? source.columns[index].f32 : source.arena.f32,
    );
  }
  if (type === 'int32') {
    return copy(from, index, 2, new Int32Array(batch.count), (source) =>
      source instanceof Segment ? source.columns[index].i32 : source.arena.i32,
    );
  }
  return integers(from, index);
}

function copy<Words extends Float64Array | Float32Array | Int32Array>(
  { batch, schema }: Found,
  index: number,
  shift: number,
  values: Words,
  viewsOf: Views<Words>,
): Words {
  const { order, position } = batch;
  const offset = layoutRow(schema).offsets[index] >>> shift;
  for (const { source, from, to } of batch.found) {
    const views = viewsOf(source);
    // A row of a segment is told by its number, one of a memtable by its offset in bytes.
    if (source instanceof Segment) {
      for (let i = from; i < to; i++) values[order[i]] = views[position[i]];
    } else {
      for (let i = from; i < to; i++) values[order[i]] = views[(position[i] >>> shift) + offset];
    }
  }
  return values;
}

function integers({ batch, schema }: Found, index: number): Float64Array {
  const { order, position } = batch;
  const { name } = schema.columns[index];
  const offset = layoutRow(schema).offsets[index] >>> 2;
  const values = new Float64Array(batch.count);
  for (const { source, from, to } of batch.found) {
    const isSegment = source instanceof Segment;
    const { u32: low, i32: high } = isSegment ? source.columns[index] : source.arena;
    for (let i = from; i < to; i++) {
      const word = isSegment ? 2 * position[i] : (position[i] >>> 2) + offset;
      values[order[i]] = safeInteger(name, low[word], high[word + 1]);
    }
  }
  return values;
}

/** When the rows expire: null, where one does not. */
function expiresOf(batch: KeyBatch, expiry: Expiry): unknown[] {
  const { order, position } = batch;
  const values = new Array<unknown>(batch.count).fill(undefined);
  for (const { source, from, to } of batch.found) {
    for (let i = from; i < to; i++) values[order[i]] = givenTime(expiry.at(source, position[i]));
  }
  return values;
}

function valuesOf(schema: Schema, rows: readonly unknown[], name: string): unknown[] {
  if (schema.value !== null) return [...rows];
  return rows.map((row) => (row as Readonly<Record<string, unknown>> | undefined)?.[name]);
}
