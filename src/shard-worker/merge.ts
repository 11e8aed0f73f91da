/**
 * Compaction: runs that follow each other in age become one run, the newest version of each key
 * surviving. A stateless job over shared memory: it runs in any thread and writes new files only.
 *
 * Two passes over the keys: the first finds where the output is cut into segments and how large they
 * are, the second fills them. Keys are merged a block at a time into a selection (which source, which
 * row), then every column is copied by that selection.
 */

import { layoutSegment, ROW_DELETED, type SegmentLayout } from '../arrow/layout.ts';
import { sortableToNumber } from '../schema/key.ts';
import type { Schema } from '../schema/schema.ts';
import { isVariable } from '../schema/schema.ts';
import { sharedMemory } from '../shared-memory.ts';
import type { Storage } from '../storage/storage.ts';
import type { KeyBounds } from '../view/bounds.ts';
import { decodeRange, isCleared } from '../view/cleared.ts';
import { ColumnWriter, EMPTY_COLUMN, type Selection } from '../view/column-writer.ts';
import { KeyWriter } from '../view/key-writer.ts';
import { MergeSource, mergeBlock, type Trim } from '../view/merge-keys.ts';
import { type KeyForm, keyForm, Segment, type SegmentHandle } from '../view/segment.ts';
import type { ExistingRows } from './existing-rows.ts';
import { ExpiredRows, type ExpiryJob } from './expired-rows.ts';
import type { SegmentPlace } from './model-files.ts';
import { type WrittenSegmentFiles, writeSegmentFiles } from './segment-files.ts';
import { hasText, isFull, type SegmentLimit, segmentLimit } from './segment-limit.ts';
import type { Lineage, Span } from './segment-shape.ts';

export interface MergeJob {
  readonly kind: 'merge';
  readonly place: SegmentPlace;
  /** Newest run first. */
  readonly runs: readonly (readonly SegmentHandle[])[];
  /** Of each run the words of what was cleared of it (`view/cleared.ts`). */
  readonly cleared: readonly (readonly Uint32Array[])[];
  readonly keepTombstones: boolean;
  /** Null where rows do not expire. */
  readonly expiry: ExpiryJob | null;
  readonly firstId: number;
  /** The records of the log that the runs hold. */
  readonly span: Span;
}

export const BLOCK_ROWS = 16_384;
/** While planning with text: so that a block of the longest rows stays far below what a body can be. */
const TEXT_BLOCK_ROWS = 64;

/** What one output segment will hold. */
export interface Part {
  rows: number;
  keyBytes: number;
  variableBytes: number[];
  tombstones: number;
}

export interface Block extends Selection {
  count: number;
  /** 1: the row becomes a tombstone. */
  readonly buried: Uint8Array;
}

function isTombstone(block: Block, segments: readonly Segment[], i: number): boolean {
  return block.buried[i] === 1 || segments[block.source[i]].isDeleted(block.row[i]);
}

/** Fills a block with at most `max` rows; false when there are no more. */
export type NextBlock = (max: number) => boolean;

export function newBlock(): Block {
  return {
    source: new Uint16Array(BLOCK_ROWS),
    row: new Uint32Array(BLOCK_ROWS),
    count: 0,
    buried: new Uint8Array(BLOCK_ROWS),
  };
}

/** Writes and syncs the new run's segments; the caller syncs the directory. May return none. */
export function mergeRuns(
  storage: Storage,
  job: MergeJob,
  limit: SegmentLimit = segmentLimit(job.place.schema),
): WrittenSegmentFiles[] {
  const { schema } = job.place;
  const ranges = job.cleared.map((run) => run.map((words) => decodeRange(words, schema.key)));
  const opened = job.runs.map((run, i) => {
    const all = run.map((handle) => new Segment(handle, schema.key));
    return all.filter((segment) => !isWholly(segment, ranges[i]));
  });
  const runs = opened.filter((run) => run.length > 0);
  const input = {
    ...{ runs, trims: [], segments: runs.flat() },
    cleared: opened.flatMap((run, i) => run.map(() => ranges[i])),
    expired: ExpiredRows.of(schema, job.expiry),
    existing: null,
  };
  return writeParts(storage, job, input, planParts(job, input, limit));
}

/** Writes and syncs the segments that runs are merged into; the caller syncs the directory. */
export function writeParts(
  storage: Storage,
  job: Output,
  input: Input,
  parts: readonly Part[],
): WrittenSegmentFiles[] {
  const { place, firstId, span } = job;
  const sources = MergeSource.over(input.runs, input.trims);
  const block = newBlock();
  return parts.map((part, i) => {
    const next: NextBlock = (max) => nextBlock(job, input, sources, block, max);
    const lineage = { ...span, run: firstId, part: i, parts: parts.length };
    return writePart(storage, place, input.segments, block, next, part, firstId + i, lineage);
  });
}

/** What a merge makes. */
export type Output = Pick<MergeJob, 'place' | 'keepTombstones' | 'firstId' | 'span'>;

/** Runs with a row each, the newest first; all segments of theirs, and what was cleared of each. */
export interface Input {
  readonly runs: readonly (readonly Segment[])[];
  readonly trims: readonly Trim[];
  readonly segments: readonly Segment[];
  readonly cleared: readonly (readonly KeyBounds[])[];
  readonly expired: ExpiredRows | null;
  /** Rows that those of the runs give way to. */
  readonly existing: ExistingRows | null;
}

/** Whether every key of a segment was cleared by one of the ranges. */
function isWholly(segment: Segment, ranges: readonly KeyBounds[]): boolean {
  const isIn = (range: KeyBounds, row: number) =>
    isCleared([range], segment.hi(row), segment.lo(row), segment.bytesOf(row));
  return ranges.some((range) => isIn(range, 0) && isIn(range, segment.rows - 1));
}

/** Rows that were not cleared. What is older of a cleared row's key was cleared with it. */
function dropCleared(block: Block, { segments, cleared }: Input): void {
  let kept = 0;
  for (let i = 0; i < block.count; i++) {
    const number = block.source[i];
    const row = block.row[i];
    const ranges = cleared[number];
    if (ranges.length > 0) {
      const segment = segments[number];
      if (isCleared(ranges, segment.hi(row), segment.lo(row), segment.bytesOf(row))) continue;
    }
    block.source[kept] = number;
    block.row[kept] = row;
    kept++;
  }
  block.count = kept;
}

/** Rows that survive: without older versions below, a tombstone need not. */
function dropTombstones(block: Block, segments: readonly Segment[]): void {
  let kept = 0;
  for (let i = 0; i < block.count; i++) {
    if (segments[block.source[i]].isDeleted(block.row[i])) continue;
    block.source[kept] = block.source[i];
    block.row[kept] = block.row[i];
    kept++;
  }
  block.count = kept;
}

/** Of rows that have expired only those stay, as tombstones, that hide something older. */
function buryExpired(block: Block, segments: readonly Segment[], expired: ExpiredRows): void {
  let kept = 0;
  for (let i = 0; i < block.count; i++) {
    const number = block.source[i];
    const row = block.row[i];
    const segment = segments[number];
    // Of a tombstone the time is null.
    const isOver = expired.has(segment, row);
    if (isOver && !expired.isHiding(segment.hi(row), segment.lo(row), segment.bytesOf(row)))
      continue;
    block.source[kept] = number;
    block.row[kept] = row;
    block.buried[kept] = Number(isOver);
    kept++;
  }
  block.count = kept;
}

/** Rows whose keys are not there yet. */
function dropExisting(block: Block, segments: readonly Segment[], existing: ExistingRows): void {
  let kept = 0;
  for (let i = 0; i < block.count; i++) {
    const number = block.source[i];
    const row = block.row[i];
    const segment = segments[number];
    if (existing.has(segment.hi(row), segment.lo(row), segment.bytesOf(row))) continue;
    block.source[kept] = number;
    block.row[kept] = row;
    kept++;
  }
  block.count = kept;
}

/** Fills the block with at most `rowsMax` merged rows. False when the sources are exhausted. */
function nextBlock(
  job: Output,
  input: Input,
  sources: MergeSource[],
  block: Block,
  rowsMax: number,
): boolean {
  const hasCleared = input.cleared.some((ranges) => ranges.length > 0);
  do {
    block.count = mergeBlock(sources, block, Math.min(rowsMax, BLOCK_ROWS));
    if (block.count === 0) return false;
    if (hasCleared) dropCleared(block, input);
    if (!job.keepTombstones) dropTombstones(block, input.segments);
    if (input.expired !== null) buryExpired(block, input.segments, input.expired);
    if (input.existing !== null) dropExisting(block, input.segments, input.existing);
  } while (block.count === 0);
  return true;
}

/** Finds where the output is cut into segments, and how large they are. */
export function planParts(job: Output, input: Input, limit: SegmentLimit): Part[] {
  const { schema } = job.place;
  const sources = MergeSource.over(input.runs, input.trims);
  const block = newBlock();
  const parts: Part[] = [];
  let part = emptyPart(schema);
  const blockMax = hasText(schema) ? TEXT_BLOCK_ROWS : BLOCK_ROWS;
  while (nextBlock(job, input, sources, block, Math.min(blockMax, limit.rows - part.rows))) {
    addTo(part, schema, input.segments, block);
    const text = part.variableBytes.reduce((sum, bytes) => sum + bytes, part.keyBytes);
    if (!isFull(part.rows, text, limit)) continue;
    parts.push(part);
    part = emptyPart(schema);
  }
  if (part.rows > 0) parts.push(part);
  return parts;
}

export function emptyPart(schema: Schema): Part {
  return { rows: 0, keyBytes: 0, variableBytes: schema.columns.map(() => 0), tombstones: 0 };
}

/** Counts the rows of a block in. */
export function addTo(
  part: Part,
  schema: Schema,
  segments: readonly Segment[],
  block: Block,
): void {
  part.rows += block.count;
  for (let i = 0; i < block.count; i++) {
    if (isTombstone(block, segments, i)) part.tombstones++;
  }
  if (isVariable(schema.key)) {
    for (let i = 0; i < block.count; i++) {
      const { keyOffsets } = segments[block.source[i]];
      part.keyBytes += keyOffsets[block.row[i] + 1] - keyOffsets[block.row[i]];
    }
  }
  schema.columns.forEach((column, c) => {
    if (!isVariable(column.type)) return;
    let sum = 0;
    for (let i = 0; i < block.count; i++) {
      if (block.buried[i] === 1) continue;
      const { offsets } = segments[block.source[i]].columns[c];
      sum += offsets[block.row[i] + 1] - offsets[block.row[i]];
    }
    part.variableBytes[c] += sum;
  });
}

/**
 * Writes and syncs one segment of rows of others, in key order.
 * @param next fills `block` with at most so many of its rows that follow
 */
export function writePart(
  storage: Storage,
  place: SegmentPlace,
  segments: readonly Segment[],
  block: Block,
  next: NextBlock,
  part: Part,
  id: number,
  lineage: Lineage,
): WrittenSegmentFiles {
  const { schema } = place;
  const flags = part.tombstones > 0;
  const { keyBytes } = part;
  const layout = layoutSegment(schema, part.rows, part.variableBytes, { flags, keyBytes });
  const body = sharedMemory(layout.bodyBytes);
  const writer = new ColumnWriter(schema, layout, body);
  // Where nothing is, for rows that are buried.
  const nothing = schema.columns.map(() => EMPTY_COLUMN);
  const columns = [...segments.map((segment) => segment.columns), nothing];
  // Sources that all hold numbers give numbers. Words may turn out to fit: known at the last key.
  const isNumeric = segments.every((segment) => segment.form === 'f64');
  const form: KeyForm = isVariable(schema.key) ? 'bytes' : isNumeric ? 'f64' : 'words';
  let rows = 0;
  while (rows < part.rows && next(part.rows - rows)) {
    writeKeys(form, layout, body, segments, block, rows);
    writer.fromSegments(columns, withoutBuried(block, segments.length), block.count, rows);
    if (layout.flags !== null) {
      const deleted = new Uint8Array(body, layout.flags.offset, part.rows);
      for (let i = 0; i < block.count; i++) {
        if (isTombstone(block, segments, i)) deleted[rows + i] = ROW_DELETED;
      }
    }
    rows += block.count;
  }
  const final = form === 'words' ? narrowKeys(schema, layout, body) : form;
  return writeSegmentFiles(storage, place, id, layout, final, body, writer.nullCounts, lineage);
}

/** The rows that columns are copied from: of those that are buried, the one row of source `nothing`. */
function withoutBuried({ source, row, count, buried }: Block, nothing: number): Selection {
  const first = buried.subarray(0, count).indexOf(1);
  if (first < 0) return { source, row };
  const copy = { source: source.slice(0, count), row: row.slice(0, count) };
  for (let i = first; i < count; i++) {
    if (buried[i] === 0) continue;
    copy.source[i] = nothing;
    copy.row[i] = 0;
  }
  return copy;
}

function writeKeys(
  form: KeyForm,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
  segments: readonly Segment[],
  block: Block,
  start: number,
): void {
  if (form === 'bytes') {
    new KeyWriter(layout, body).fromSegments(segments, block, block.count, start);
    return;
  }
  if (form === 'f64') {
    const keys = new Float64Array(body, layout.key.data.offset, layout.rows);
    for (let i = 0; i < block.count; i++) {
      keys[start + i] = segments[block.source[i]].keysF64[block.row[i]];
    }
    return;
  }
  const keys = new Uint32Array(body, layout.key.data.offset, 2 * layout.rows);
  for (let i = 0; i < block.count; i++) {
    const segment = segments[block.source[i]];
    keys[2 * (start + i)] = segment.lo(block.row[i]);
    keys[2 * (start + i) + 1] = segment.hi(block.row[i]);
  }
}

/** Keys written as words become numbers where all of them can. */
function narrowKeys(schema: Schema, layout: SegmentLayout, body: SharedArrayBuffer): KeyForm {
  const { rows, key } = layout;
  const words = new Uint32Array(body, key.data.offset, 2 * rows);
  const keyAt = (row: number) => ({ hi: words[2 * row + 1], lo: words[2 * row] });
  if (keyForm(schema.key, keyAt(0), keyAt(rows - 1)) === 'words') return 'words';
  const numbers = new Float64Array(body, key.data.offset, rows);
  for (let i = 0; i < rows; i++) {
    numbers[i] = sortableToNumber(schema.key, words[2 * i + 1], words[2 * i]);
  }
  return 'f64';
}
