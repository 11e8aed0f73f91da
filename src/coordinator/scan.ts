/**
 * Scans: rows of a range as Arrow record batches, in key order, from one snapshot. Memory holds one
 * batch at a time, however long the range.
 */
import type { RecordBatch } from 'apache-arrow';
import { layoutSegment, type SegmentLayout } from '../arrow/layout.ts';
import { OmenError } from '../errors.ts';
import { sortableToNumber } from '../schema/key.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { isOutside, seekFirst } from '../view/bounds.ts';
import { ColumnWriter, type Selection, variableBytes } from '../view/column-writer.ts';
import { type Cursor, MergeCursor, PieceCursor } from '../view/cursor.ts';
import { KeyWriter, storedKeyBytes } from '../view/key-writer.ts';
import { RunCursor, residentKeysToFile, type Segment } from '../view/segment.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { Iteration } from './range.ts';
import type { Snapshot } from './reader.ts';

const BATCH_ROWS = 32_768;
/** A batch of long rows ends early. */
const BATCH_BYTES = 16 * 2 ** 20;

export function cursorOf(shards: readonly ShardSnapshot[]): Cursor {
  const cursors = shards.map(({ view, visible }) => view.cursor(visible));
  return cursors.length === 1 ? cursors[0] : new MergeCursor(cursors);
}

/** Rows gathered from a cursor: their keys as [lo, hi] pairs, and where each of them lies. */
interface Gathered {
  readonly keys: Uint32Array;
  readonly places: Cursor[];
  readonly segments: (Segment | null)[];
  readonly positions: Uint32Array;
  rows: number;
}

/**
 * @param throwIfOver called before every step; throws once the scan may not go on
 */
export async function* scanBatches(
  schema: Schema,
  capture: () => Snapshot,
  iteration: Iteration,
  throwIfOver: () => void,
): AsyncGenerator<RecordBatch, void, undefined> {
  throwIfOver();
  if (iteration.isEmpty) return;
  const { toRecordBatch } = await import('../arrow/record-batch.ts');
  throwIfOver();
  const snapshot = capture();
  try {
    const cursor = cursorOf(snapshot.shards);
    seekFirst(cursor, iteration, iteration.reverse);
    let left = iteration.limit;
    while (left > 0) {
      throwIfOver();
      const gathered = gather(schema, cursor, iteration, Math.min(left, BATCH_ROWS));
      if (gathered.rows === 0) return;
      left -= gathered.rows;
      const { layout, body, nullCounts } = fill(schema, gathered);
      yield toRecordBatch(schema, layout, body, nullCounts);
    }
  } finally {
    snapshot.release();
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new OmenError('OMEN_ABORTED', 'The scan was aborted.', { cause: signal.reason });
}

function gather(schema: Schema, cursor: Cursor, iteration: Iteration, max: number): Gathered {
  const gathered: Gathered = {
    keys: new Uint32Array(2 * max),
    places: [],
    segments: [],
    positions: new Uint32Array(max),
    rows: 0,
  };
  const hasText = [schema.key, ...schema.columns.map(({ type }) => type)].some(isVariable);
  let bytes = 0;
  while (gathered.rows < max && bytes < BATCH_BYTES && !cursor.done) {
    const { hi, lo, source, position } = cursor;
    if (isOutside(cursor, iteration, iteration.reverse)) break;
    const row = gathered.rows++;
    gathered.keys[2 * row] = lo;
    gathered.keys[2 * row + 1] = hi;
    gathered.places.push(source);
    gathered.segments.push(source instanceof RunCursor ? source.segment : null);
    gathered.positions[row] = position;
    if (hasText) bytes += textBytes(schema, source, position);
    if (iteration.reverse) cursor.prev();
    else cursor.next();
  }
  return gathered;
}

function textBytes(schema: Schema, source: Cursor, position: number): number {
  if (source instanceof PieceCursor) {
    const { memtable } = source;
    const keyBytes = storedKeyBytes(memtable, [position]);
    return variableBytes(schema, memtable, [position]).reduce((a, b) => a + b, keyBytes);
  }
  const { columns, keyOffsets } = (source as RunCursor).segment;
  let sum = isVariable(schema.key) ? keyOffsets[position + 1] - keyOffsets[position] : 0;
  schema.columns.forEach(({ type }, c) => {
    if (!isVariable(type)) return;
    sum += columns[c].offsets[position + 1] - columns[c].offsets[position];
  });
  return sum;
}

function fill(schema: Schema, gathered: Gathered) {
  const { rows } = gathered;
  const lengths = schema.columns.map(() => 0);
  const stretches = [...stretchesOf(gathered)];
  for (const stretch of stretches) addTextBytes(schema, stretch, lengths);
  const keyBytes = isVariable(schema.key) ? keyBytesOf(stretches) : 0;
  const layout = layoutSegment(schema, rows, lengths, { flags: false, keyBytes });
  const body = new SharedArrayBuffer(layout.bodyBytes);
  if (isVariable(schema.key)) writeKeyBytes(layout, body, stretches);
  else writeKeys(schema, layout.key.data.offset, body, gathered);
  const writer = new ColumnWriter(schema, layout, body);
  for (const { start, count, entries, memtable, chosen, segments } of stretches) {
    if (memtable !== null) writer.fromMemtable(memtable, entries, count, start);
    else
      writer.fromSegments(
        segments.map(({ columns }) => columns),
        chosen,
        count,
        start,
      );
  }
  return { layout, body, nullCounts: writer.nullCounts };
}

/** Rows that follow each other and come from one memtable, or all from segments. */
interface Stretch {
  readonly start: number;
  readonly count: number;
  readonly memtable: PieceCursor['memtable'] | null;
  readonly entries: Uint32Array;
  readonly segments: readonly Segment[];
  readonly chosen: Selection;
}

function* stretchesOf({ rows, places, segments, positions }: Gathered): Generator<Stretch> {
  const memtableOf = (row: number) => {
    const place = places[row];
    return place instanceof PieceCursor ? place.memtable : null;
  };
  for (let start = 0; start < rows; ) {
    const memtable = memtableOf(start);
    let end = start + 1;
    while (end < rows && memtableOf(end) === memtable) end++;
    const count = end - start;
    const row = positions.slice(start, end);
    const numbers = new Map<Segment, number>();
    const source = new Uint16Array(count);
    for (let i = 0; memtable === null && i < count; i++) {
      const segment = segments[start + i] as Segment;
      const number = numbers.get(segment) ?? numbers.size;
      numbers.set(segment, number);
      source[i] = number;
    }
    const chosen = { source, row };
    yield { start, count, memtable, entries: row, segments: [...numbers.keys()], chosen };
    start = end;
  }
}

function addTextBytes(schema: Schema, stretch: Stretch, lengths: number[]): void {
  const { memtable, entries, segments, chosen, count } = stretch;
  if (memtable !== null) {
    variableBytes(schema, memtable, entries).forEach((bytes, c) => {
      lengths[c] += bytes;
    });
    return;
  }
  schema.columns.forEach(({ type }, c) => {
    if (!isVariable(type)) return;
    for (let i = 0; i < count; i++) {
      const { offsets } = segments[chosen.source[i]].columns[c];
      lengths[c] += offsets[chosen.row[i] + 1] - offsets[chosen.row[i]];
    }
  });
}

function keyBytesOf(stretches: readonly Stretch[]): number {
  let sum = 0;
  for (const { memtable, entries, segments, chosen, count } of stretches) {
    if (memtable !== null) {
      sum += storedKeyBytes(memtable, entries);
      continue;
    }
    for (let i = 0; i < count; i++) {
      const { keyOffsets } = segments[chosen.source[i]];
      sum += keyOffsets[chosen.row[i] + 1] - keyOffsets[chosen.row[i]];
    }
  }
  return sum;
}

function writeKeyBytes(
  layout: SegmentLayout,
  body: SharedArrayBuffer,
  stretches: readonly Stretch[],
): void {
  const writer = new KeyWriter(layout, body);
  for (const { start, count, entries, memtable, chosen, segments } of stretches) {
    if (memtable !== null) writer.fromMemtable(memtable, entries, count, start);
    else writer.fromSegments(segments, chosen, count, start);
  }
}

function writeKeys(
  { key }: Schema,
  offset: number,
  body: SharedArrayBuffer,
  { keys, rows }: Gathered,
): void {
  if (key === 'float64') {
    const numbers = new Float64Array(body, offset, rows);
    for (let i = 0; i < rows; i++) {
      numbers[i] = sortableToNumber(key, keys[2 * i + 1], keys[2 * i]);
    }
    return;
  }
  new Uint32Array(body, offset, 2 * rows).set(keys.subarray(0, 2 * rows));
  residentKeysToFile(key, 'words', body, offset, rows);
}
