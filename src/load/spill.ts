/**
 * Sorted runs go to files, block by block, and many of them become one. Stateless jobs: they run in any thread.
 * A file that could not be written whole is removed.
 */
import { crc32 } from 'node:zlib';
import { layoutSegment } from '../arrow/layout.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { removeLeftover, type Storage, type StorageFile } from '../storage/storage.ts';
import { ColumnWriter, type Selection } from '../view/column-writer.ts';
import { refuseDuplicates } from '../view/duplicate-key.ts';
import { KeyWriter } from '../view/key-writer.ts';
import { MergeSource, mergeBlock } from '../view/merge-keys.ts';
import { openSlice } from '../view/run-slice.ts';
import { type KeyForm, Segment, type SegmentHandle } from '../view/segment.ts';
import {
  type BlockPlace,
  type PlainKey,
  plainKeyOf,
  type SpilledRun,
} from '../view/spilled-run.ts';
import { planSlices } from './slices.ts';
import type { OnDuplicate } from './sort.ts';

export interface SpillTask {
  readonly schema: Schema;
  /** Of a file that is not there yet. */
  readonly path: string;
  /** What a block may take, about. */
  readonly blockBytes: number;
  /** In key order. */
  readonly segments: readonly SegmentHandle[];
}

export interface JoinTask extends Omit<SpillTask, 'segments'> {
  /** In the order of the source. Once they are joined, their files are removed. */
  readonly runs: readonly SpilledRun[];
  readonly onDuplicate: OnDuplicate;
  /** What may be read at once, about. */
  readonly sliceBytes: number;
}

const SELECTION_ROWS = 16_384;
/** A block is so much longer than its first key, which is kept in memory. */
const BYTES_PER_KEY_BYTE = 32;

/** @throws what the storage throws */
export function spillRun(storage: Storage, task: SpillTask): SpilledRun {
  return writeRun(storage, task, (writer) => {
    for (const handle of task.segments) {
      const segment = new Segment(handle, task.schema.key);
      const selection = newSelection();
      for (let row = 0; row < segment.rows; row += SELECTION_ROWS) {
        const count = Math.min(SELECTION_ROWS, segment.rows - row);
        for (let i = 0; i < count; i++) selection.row[i] = row + i;
        writer.add([segment], selection, count);
      }
    }
  });
}

/** @throws OMEN_DUPLICATE_KEY, OMEN_CORRUPT, what the storage throws */
export function joinRuns(storage: Storage, task: JoinTask): SpilledRun {
  const { schema, runs, onDuplicate, sliceBytes, blockBytes } = task;
  const winnersFirst = onDuplicate === 'first' ? runs : runs.toReversed();
  const parts = winnersFirst.map((run) => [run]);
  const joined = writeRun(storage, task, (writer) => {
    for (const slice of planSlices(schema, parts, sliceBytes, blockBytes)) {
      const open = openSlice(storage, schema, slice);
      const segments = open.runs.flat();
      const sources = MergeSource.over(open.runs, open.trims);
      const selection = newSelection();
      let rows = 0;
      for (;;) {
        const count = mergeBlock(sources, selection, SELECTION_ROWS);
        if (count === 0) break;
        writer.add(segments, selection, count);
        rows += count;
      }
      if (onDuplicate === 'error') refuseDuplicates(schema.key, open, rows);
    }
  });
  for (const run of runs) removeLeftover(storage, run.path);
  return joined;
}

function newSelection(): Selection {
  return { source: new Uint16Array(SELECTION_ROWS), row: new Uint32Array(SELECTION_ROWS) };
}

function writeRun(
  storage: Storage,
  { path, schema, blockBytes }: Pick<SpillTask, 'path' | 'schema' | 'blockBytes'>,
  fill: (writer: RunWriter) => void,
): SpilledRun {
  const file = storage.open(path, 'create-new');
  try {
    const writer = new RunWriter(file, path, schema, blockBytes);
    fill(writer);
    file.close();
    return writer.run;
  } catch (error) {
    file.close();
    removeLeftover(storage, path);
    throw error;
  }
}

/** Writes rows in key order, as blocks. */
class RunWriter {
  readonly #file: StorageFile;
  readonly #path: string;
  readonly #schema: Schema;
  readonly #blockBytes: number;
  readonly #blocks: BlockPlace[] = [];
  readonly #firsts: PlainKey[] = [];
  #last: PlainKey | null = null;
  #end = 0;
  /** For one block after the other. */
  #body = new SharedArrayBuffer(0);

  constructor(file: StorageFile, path: string, schema: Schema, blockBytes: number) {
    this.#file = file;
    this.#path = path;
    this.#schema = schema;
    this.#blockBytes = blockBytes;
  }

  get run(): SpilledRun {
    const [path, blocks, firsts] = [this.#path, this.#blocks, this.#firsts];
    return { path, blocks, firsts, last: this.#last as PlainKey };
  }

  /** Adds rows of segments, cut into blocks. */
  add(segments: readonly Segment[], { source, row }: Selection, count: number): void {
    for (let at = 0; at < count; ) {
      const rows = this.#fitting(segments, source, row, at, count);
      const [own, ownRow] = [source.subarray(at, at + rows), row.subarray(at, at + rows)];
      this.#addBlock(segments, { source: own, row: ownRow }, rows);
      at += rows;
    }
    this.#last = plainKeyOf(segments[source[count - 1]], row[count - 1]);
  }

  /** How many rows from one on make a block: one at least. */
  #fitting(
    segments: readonly Segment[],
    source: Uint16Array,
    row: Uint32Array,
    at: number,
    count: number,
  ): number {
    const { columns, key } = this.#schema;
    const fixedBytes = 8 + 9 * columns.length;
    const texts = columns.flatMap(({ type }, i) => (isVariable(type) ? [i] : []));
    let most = this.#blockBytes;
    if (isVariable(key)) {
      const { keyOffsets } = segments[source[at]];
      const keyBytes = keyOffsets[row[at] + 1] - keyOffsets[row[at]];
      most = Math.max(most, BYTES_PER_KEY_BYTE * keyBytes);
    } else if (texts.length === 0) {
      return Math.max(1, Math.min(count - at, Math.floor(most / fixedBytes)));
    }
    let bytes = 0;
    let rows = 0;
    for (; at + rows < count; rows++) {
      const { keyOffsets, columns: own } = segments[source[at + rows]];
      const place = row[at + rows];
      bytes += fixedBytes + 4 * texts.length;
      if (isVariable(key)) bytes += keyOffsets[place + 1] - keyOffsets[place];
      for (const i of texts) bytes += own[i].offsets[place + 1] - own[i].offsets[place];
      if (bytes > most && rows > 0) break;
    }
    return rows;
  }

  #addBlock(segments: readonly Segment[], chosen: Selection, rows: number): void {
    const schema = this.#schema;
    const textOf = (offsetsOf: (segment: Segment) => Int32Array): number => {
      let sum = 0;
      for (let i = 0; i < rows; i++) {
        const offsets = offsetsOf(segments[chosen.source[i]]);
        sum += offsets[chosen.row[i] + 1] - offsets[chosen.row[i]];
      }
      return sum;
    };
    const keyBytes = isVariable(schema.key) ? textOf(({ keyOffsets }) => keyOffsets) : 0;
    const varBytes = schema.columns.map(({ type }, i) =>
      isVariable(type) ? textOf(({ columns }) => columns[i].offsets) : 0,
    );
    const layout = layoutSegment(schema, rows, varBytes, { flags: false, keyBytes });
    const { bodyBytes } = layout;
    if (this.#body.byteLength < bodyBytes) this.#body = new SharedArrayBuffer(bodyBytes);
    const body = this.#body;
    const bytes = new Uint8Array(body, 0, bodyBytes).fill(0);
    new ColumnWriter(schema, layout, body).fromSegments(
      segments.map(({ columns }) => columns),
      chosen,
      rows,
      0,
    );
    let form: KeyForm = 'bytes';
    const { offset } = layout.key.data;
    if (isVariable(schema.key)) {
      new KeyWriter(layout, body).fromSegments(segments, chosen, rows, 0);
    } else if (segments.every((segment) => segment.form === 'f64')) {
      form = 'f64';
      const keys = new Float64Array(body, offset, rows);
      for (let i = 0; i < rows; i++) keys[i] = segments[chosen.source[i]].keysF64[chosen.row[i]];
    } else {
      form = 'words';
      const keys = new Uint32Array(body, offset, 2 * rows);
      for (let i = 0; i < rows; i++) {
        const segment = segments[chosen.source[i]];
        keys[2 * i] = segment.lo(chosen.row[i]);
        keys[2 * i + 1] = segment.hi(chosen.row[i]);
      }
    }
    this.#file.write(bytes, this.#end);
    const place = { offset: this.#end, bodyBytes, crc: crc32(bytes), rows, form };
    this.#blocks.push({ ...place, keyBytes, varBytes });
    this.#firsts.push(plainKeyOf(segments[chosen.source[0]], chosen.row[0]));
    this.#end += bodyBytes;
  }
}
