/**
 * A part of a shard's snapshot as it crosses threads, for whoever reads it there. The sender keeps the
 * snapshot pinned until it has its answer.
 */
import { copyOf, type KeyBytes } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import type { KeyBounds } from './bounds.ts';
import { Control } from './control.ts';
import type { Visibility } from './memtable.ts';
import type { Run } from './segment.ts';
import { compileReaders, type ShardSnapshot, ShardView, type ViewMessage } from './shard-view.ts';
import { STATISTICS_ROWS } from './statistics.ts';

/** So many rows of a shard's largest run are read in one go: some milliseconds' work. */
const TASK_ROWS = 256 * STATISTICS_ROWS;

type PlainBounds = Omit<KeyBounds, 'firstBytes' | 'lastBytes'> & {
  readonly firstBytes: Uint8Array | null;
  readonly lastBytes: Uint8Array | null;
};

export interface ShardTask {
  readonly view: ViewMessage;
  readonly visible: readonly Visibility[];
  readonly nowMs: number;
  readonly control: SharedArrayBuffer;
  readonly bounds: PlainBounds;
}

export function shardTask(
  { view, visible, nowMs }: ShardSnapshot,
  control: Control,
  bounds: KeyBounds,
): ShardTask {
  const { firstBytes, lastBytes } = bounds;
  const plain = { firstBytes: plainBytes(firstBytes), lastBytes: plainBytes(lastBytes) };
  return {
    view: view.message,
    visible,
    nowMs,
    control: control.memory,
    bounds: { ...bounds, ...plain },
  };
}

/** The snapshot and the bounds, in the thread that received the task. */
export function receiveTask(
  schema: Schema,
  { view, visible, nowMs, control, bounds }: ShardTask,
): { readonly shard: ShardSnapshot; readonly bounds: KeyBounds } {
  const { table } = new Control(control);
  const received = new ShardView(view, compileReaders(schema, true), table, null);
  const { firstBytes, lastBytes } = bounds;
  return {
    shard: { view: received, visible, nowMs },
    bounds: {
      ...bounds,
      firstBytes: firstBytes && copyOf(firstBytes),
      lastBytes: lastBytes && copyOf(lastBytes),
    },
  };
}

function plainBytes(key: KeyBytes | null): Uint8Array | null {
  return key && Uint8Array.from(key.memory.buffer.subarray(key.start, key.end));
}

/** Bounds that follow each other and make up the given ones, of about as many rows each. */
export function splitBounds({ view }: ShardSnapshot, bounds: KeyBounds): KeyBounds[] {
  const run = view.runs.reduce<Run | null>(
    (best, one) => (best === null || one.rows > best.rows ? one : best),
    null,
  );
  if (run === null) return [bounds];
  const { start, end } = run.positionsWithin(bounds, view.readers.schema.key);
  const parts: KeyBounds[] = [];
  let rest = bounds;
  for (const position of cutsOf(run)) {
    if (position <= start || position >= end) continue;
    const { hi, lo, bytes } = run.rowAt(position);
    parts.push({ ...rest, lastHi: hi, lastLo: lo, lastBytes: bytes, isBeforeLast: true });
    rest = { ...rest, firstHi: hi, firstLo: lo, firstBytes: bytes, isAfterFirst: false };
  }
  return [...parts, rest];
}

/** Cuts at the ends of pages. */
function* cutsOf({ segments, before }: Run): Generator<number, void, undefined> {
  for (const [i, { rows }] of segments.entries()) {
    for (let row = 0; row < rows; row += TASK_ROWS) yield before[i] + row;
  }
}

/** About how many rows and entries of a snapshot lie within the bounds. */
export function rowsWithin({ view, visible }: ShardSnapshot, bounds: KeyBounds): number {
  let rows = 0;
  for (const run of view.runs) rows += run.countWithin(bounds, view.readers.schema.key);
  for (const [i, { memtable }] of view.memtables.entries()) {
    if (memtable.holdsBelow(visible[i].watermark)) rows += memtable.entries;
  }
  return rows;
}
