/**
 * Exports: the rows of a range, as they are at one instant, to a file or a stream.
 *
 * - Memory holds a few batches of a scan, and a row group of Parquet, however long the range: nothing is
 *   read before there is room for it.
 * - Whatever ends an export, its snapshot is released, and a file of the target's name is whole or not there.
 */
import type { RecordBatch } from 'apache-arrow';
import { compressed } from '../export/compress.ts';
import { type BatchEncoder, encoderFor } from '../export/encoder.ts';
import type { ExportField } from '../export/field.ts';
import { openTarget } from '../export/target.ts';
import type { Schema } from '../schema/schema.ts';
import { KEY } from '../view/gather.ts';
import type { Client } from './client.ts';
import {
  type ExportOptions,
  type ExportReport,
  type ExportSettings,
  parseExportOptions,
} from './export-options.ts';
import type { IterateOptions, RangeOptions } from './range.ts';
import type { ScanOptions } from './reads.ts';
import { parseFields, throwIfAborted } from './scan.ts';

const PROGRESS_MS = 250;

/** What is exported: a database, or a snapshot of one. */
export interface Exported<KeyInput, RowInput> {
  scan(options: ScanOptions<KeyInput, RowInput>): AsyncIterableIterator<RecordBatch>;
  count(range: RangeOptions): number;
}

/** @throws see `Database.export` */
export async function exportRows<KeyInput, RowInput>(
  client: Client,
  reads: Exported<KeyInput, RowInput>,
  target: unknown,
  options: ExportOptions<KeyInput, RowInput> = {},
): Promise<ExportReport> {
  client.throwIfClosed();
  const { schema } = client.membership;
  const settings = parseExportOptions(schema, target, options as ExportOptions);
  const { range, columns, compress, format } = settings;
  throwIfAborted(settings.signal);
  const fields = fieldsOf(schema, columns);
  const signal =
    settings.signal === undefined
      ? client.ending
      : AbortSignal.any([settings.signal, client.ending]);
  const progress = new Progress(settings, totalOf(reads, settings));
  const scanned = { ...range, columns, signal: settings.signal };
  const scan = reads.scan(scanned as ScanOptions<KeyInput, RowInput>);
  const sink = openTarget(client.storage, target, settings.overwrite, signal);
  try {
    const encoder = await encoderFor(fields, settings);
    const pieces = encoded(scan, encoder, progress);
    const isWhole = compress !== undefined && format !== 'parquet';
    for await (const piece of isWhole ? compressed(pieces, compress) : pieces) {
      if (piece.length === 0) continue;
      await sink.write(piece);
      client.throwIfClosed();
      throwIfAborted(settings.signal);
      progress.wrote(piece.length);
    }
    await sink.finish();
    client.throwIfClosed();
    throwIfAborted(settings.signal);
  } catch (error) {
    await sink.abandon(error);
    throw error;
  } finally {
    await scan.return?.();
  }
  return progress.end();
}

function fieldsOf(schema: Schema, columns: readonly string[]): ExportField[] {
  return parseFields(schema, columns).map((field) => {
    if (field === KEY) return { name: 'key', type: schema.key, nullable: false, isJson: false };
    return { ...schema.columns[field], isJson: schema.value === 'json' && field === 0 };
  });
}

/** How many rows there are to come; null where that would have to be found out by reading them. */
function totalOf(
  reads: Pick<Exported<unknown, unknown>, 'count'>,
  { range, onProgress }: Pick<ExportSettings, 'range' | 'onProgress'>,
): number | null {
  if (onProgress === undefined || range.where !== undefined) return null;
  const {
    limit = Number.POSITIVE_INFINITY,
    reverse: _,
    where: __,
    ...bounds
  }: IterateOptions = range;
  return Math.min(limit, reads.count(bounds));
}

async function* encoded(
  batches: AsyncIterable<RecordBatch>,
  encoder: BatchEncoder,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const batch of batches) {
    const bytes = encoder.encode(batch);
    progress.rows += batch.numRows;
    yield bytes;
  }
  yield encoder.finish();
}

class Progress {
  rows = 0;
  readonly #total: number | null;
  readonly #onProgress: ExportSettings['onProgress'];
  readonly #startMs = performance.now();
  #lastMs = this.#startMs;
  #bytes = 0;

  constructor({ onProgress }: ExportSettings, total: number | null) {
    this.#onProgress = onProgress;
    this.#total = total;
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (performance.now() - this.#lastMs > PROGRESS_MS) this.#report();
  }

  #report(): void {
    this.#lastMs = performance.now();
    const ms = this.#lastMs - this.#startMs;
    const { rows } = this;
    const rowsTotal = this.#total;
    const msLeft =
      rowsTotal === null || rows === 0 ? null : (ms * Math.max(0, rowsTotal - rows)) / rows;
    const rowsPerSecond = (1000 * rows) / ms;
    this.#onProgress?.({ rows, rowsTotal, bytes: this.#bytes, rowsPerSecond, ms, msLeft });
  }

  end(): ExportReport {
    this.#report();
    return { rows: this.rows, bytes: this.#bytes, ms: performance.now() - this.#startMs };
  }
}
