/**
 * A block of text becomes chunks of rows, in any thread. Rows that are none are told with the line and the
 * byte that they begin at, counted within the block.
 */
import { isUtf8 } from 'node:buffer';
import { type ErrorCode, OmenError } from '../errors.ts';
import type { SegmentHandle } from '../view/segment.ts';
import { CellEncoder } from './cells.ts';
import { CsvRecords } from './csv.ts';
import { jsonReader } from './ndjson.ts';
import type { ParquetGroup } from './parquet.ts';
import type { Mapping, Places } from './record-batch.ts';
import { Router, type Target } from './router.ts';

/** How records are written. Plain data. */
export type TextFormat =
  | {
      readonly kind: 'csv';
      readonly delimiter: number;
      /** How many values a record has, and which of them are wanted. */
      readonly fields: number;
      readonly places: Places;
      readonly nulls: readonly string[];
      readonly times: Times;
    }
  | { readonly kind: 'ndjson'; readonly mapping: Mapping; readonly times: Times };

/** How times are written, by the names of columns and "key"; those that are not named, as is usual. */
export type Times = Readonly<Record<string, string>>;

export interface ParseTask {
  readonly target: Target;
  readonly format: TextFormat;
  readonly bytes: Uint8Array;
  /** Where in it the first record begins. */
  readonly at: number;
  /** So many bad rows are told at most, and then no more is read. */
  readonly rejectsMax: number;
}

/** A row that is none. */
export interface Reject {
  /** Lines and bytes before it in its block; of a row group, rows. */
  readonly line: number;
  readonly offset: number;
  readonly code: ErrorCode;
  readonly reason: string;
  /** The row as it stands in the text, or its beginning. */
  readonly raw?: string;
}

/** Of a bad row, so much is told. */
const RAW_BYTES_MAX = 2 ** 16;

export interface Parsed {
  readonly chunks: readonly (readonly [shard: number, chunk: SegmentHandle])[];
  /** Rows taken. */
  readonly rows: number;
  /** Line ends in the block. */
  readonly lines: number;
  readonly rejects: readonly Reject[];
}

export function parseBlock(task: ParseTask): Parsed {
  const chunks: [number, SegmentHandle][] = [];
  const rejects: Reject[] = [];
  const router = new Router(task.target, (shard, chunk) => chunks.push([shard, chunk]));
  const { bytes } = task;
  const attempt: Attempt = (line, offset, end, take) => {
    try {
      take();
    } catch (error) {
      if (!(error instanceof OmenError)) throw error;
      const { code, message: reason } = error;
      const raw = Buffer.from(bytes.subarray(offset, Math.min(end(), offset + RAW_BYTES_MAX)));
      rejects.push({ line, offset, code, reason, raw: raw.toString('utf8').replace(/\r?\n$/, '') });
    }
  };
  const read = task.format.kind === 'csv' ? readCsv : readJson;
  const lines = read(task, router, attempt, () => rejects.length >= task.rejectsMax);
  router.finish();
  return { chunks, rows: router.rows, lines, rejects };
}

/** A row group and where its rows go. */
export interface GroupTask {
  readonly target: Target;
  readonly group: ParquetGroup;
  readonly rejectsMax: number;
}

/** @throws OMEN_INVALID_SOURCE, OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN */
export async function parseGroup({ target, group, rejectsMax }: GroupTask): Promise<Parsed> {
  const { batchOfGroup } = await import('./parquet-group.ts');
  const chunks: [number, SegmentHandle][] = [];
  const rejects: Reject[] = [];
  const router = new Router(target, (shard, chunk) => chunks.push([shard, chunk]));
  const batch = await batchOfGroup(group);
  const reject = (error: unknown, row: number): void => {
    if (!(error instanceof OmenError)) throw error;
    if (rejects.length >= rejectsMax) return;
    rejects.push({ line: row, offset: 0, code: error.code, reason: error.message });
  };
  router.addBatch(batch, group.mapping, 0, group.rows, reject);
  router.finish();
  return { chunks, rows: router.rows, lines: 0, rejects };
}

/** @param end where the row ends that begins at `offset` */
type Attempt = (line: number, offset: number, end: () => number, take: () => void) => void;

function readCsv(
  { bytes, at, target, format }: ParseTask,
  router: Router,
  attempt: Attempt,
  isOver: () => boolean,
): number {
  if (format.kind !== 'csv') return 0;
  const records = new CsvRecords(bytes, format.delimiter, at);
  const cells = new CellEncoder(
    target.schema,
    router.key,
    format.places,
    format.nulls,
    target.nowMs,
    format.times,
  );
  const end = (): number => records.at;
  const take = (): void => {
    if (records.fault !== null) throw new OmenError('OMEN_INVALID_ROW', records.fault);
    if (records.count !== format.fields) {
      const message = `it has ${records.count} values, and should have ${format.fields}`;
      throw new OmenError('OMEN_INVALID_ROW', message);
    }
    cells.encode(records);
    router.take(cells.views);
  };
  while (!isOver() && records.next()) {
    attempt(records.line, records.start, end, take);
  }
  return records.lines;
}

function readJson(
  { bytes, at, target, format }: ParseTask,
  router: Router,
  attempt: Attempt,
  isOver: () => boolean,
): number {
  if (format.kind !== 'ndjson') return 0;
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readLine = jsonReader(target.schema, format.mapping, format.times);
  let line = 0;
  for (let start = at; start < all.length && !isOver(); line++) {
    const newline = all.indexOf(10, start);
    const end = newline < 0 ? all.length : newline;
    const own = all.subarray(start, end);
    const text = own.toString('utf8');
    if (text.trim() !== '') {
      const take = (): void => {
        if (!isUtf8(own)) throw new OmenError('OMEN_INVALID_ROW', 'it is not UTF-8');
        const [key, row, expiresMs] = readLine(text);
        router.add(key, row, expiresMs);
      };
      attempt(line, start, () => end, take);
    }
    if (newline < 0) break;
    start = newline + 1;
  }
  return line;
}
