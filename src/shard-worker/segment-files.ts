/**
 * Segments on disk: an Arrow file each, and beside it its learned index with the checksums of the
 * Arrow file's pages. Written once and synced; the caller syncs the directory, then names them in
 * the manifest.
 */
import { join } from 'node:path';
import type { SegmentLayout } from '../arrow/layout.ts';
import { readSections, writeSections } from '../arrow/model-file.ts';
import { readSegment } from '../arrow/reader.ts';
import { writeSegment } from '../arrow/writer.ts';
import { OmenError } from '../errors.ts';
import { checkModel, type Model, modelBytes, trainF64, trainWords } from '../rmi/index.ts';
import type { Schema } from '../schema/schema.ts';
import type { Storage } from '../storage/storage.ts';
import {
  fileKeysToResident,
  type KeyForm,
  residentKeysToFile,
  type SegmentHandle,
} from '../view/segment.ts';
import { modelName, type SegmentRecord, segmentName } from './manifest.ts';

/** Whose segments these are, and where. */
export interface SegmentPlace {
  readonly directory: string;
  readonly schema: Schema;
  readonly databaseId: string;
  readonly shard: number;
}

/** A segment just written: for the manifest, and for the view. */
export interface WrittenSegmentFiles {
  readonly record: SegmentRecord;
  readonly handle: SegmentHandle;
}

function metadataOf(place: SegmentPlace, id: number): Record<string, string> {
  return {
    'omendb.version': '1',
    'omendb.database': place.databaseId,
    'omendb.shard': String(place.shard),
    'omendb.segment': String(id),
  };
}

function train(form: KeyForm, body: SharedArrayBuffer, layout: SegmentLayout): Model {
  const { offset } = layout.key;
  return form === 'f64'
    ? trainF64(new Float64Array(body, offset, layout.rows), layout.rows)
    : trainWords(new Uint32Array(body, offset, 2 * layout.rows), layout.rows);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const MODEL_NUMBERS = ['keyCount', 'epsilon', 'windowMax', 'leafCount', 'depth'] as const;

/**
 * Trains, writes and syncs one segment.
 * @param body the rows, keys in their resident `form`; it becomes the resident segment
 * @throws what the storage throws; partial files may be left, which the next open removes
 */
export function writeSegmentFiles(
  storage: Storage,
  place: SegmentPlace,
  id: number,
  layout: SegmentLayout,
  form: KeyForm,
  body: SharedArrayBuffer,
  nullCounts: readonly number[],
): WrittenSegmentFiles {
  const { directory, schema } = place;
  const model = train(form, body, layout);
  const metadata = metadataOf(place, id);
  residentKeysToFile(schema.key, form, body, layout.key.offset, layout.rows);
  const path = join(directory, segmentName(id));
  const bytes = new Uint8Array(body, 0, layout.bodyBytes);
  const written = writeSegment(storage, path, schema, layout, bytes, metadata, nullCounts);
  fileKeysToResident(schema.key, form, body, layout.key.offset, layout.rows);

  const numbers = Float64Array.from(MODEL_NUMBERS, (name) => model[name]);
  const sections = {
    pages: bytesOf(written.pageCrcs),
    numbers: bytesOf(numbers),
    cells: bytesOf(model.cells),
    nodes: bytesOf(model.nodes),
  };
  const modelFile = writeSections(storage, join(directory, modelName(id)), sections, metadata);
  const { fileBytes } = written;
  const record: SegmentRecord = {
    id,
    rows: layout.rows,
    form,
    fileBytes,
    modelBytes: modelFile.fileBytes,
    modelCrc: modelFile.crc,
  };
  return { record, handle: handleOf(record, body, layout, model) };
}

function handleOf(
  record: SegmentRecord,
  body: SharedArrayBuffer,
  layout: SegmentLayout,
  model: Model,
): SegmentHandle {
  const { id, form, fileBytes } = record;
  return { id, body, layout, form, model, fileBytes, modelBytes: modelBytes(model) };
}

/**
 * Reads a segment and its index into shared memory, every byte checked.
 * @throws OMEN_CORRUPT naming file and offset; what the storage throws
 */
export function readSegmentFiles(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
): SegmentHandle {
  const { directory, schema } = place;
  const metadata = metadataOf(place, record.id);
  const expected = { fileBytes: record.modelBytes, crc: record.modelCrc };
  const modelPath = join(directory, modelName(record.id));
  const sections = readSections(storage, modelPath, expected, metadata);
  const section = (name: string): SharedArrayBuffer => {
    const bytes = sections.get(name);
    return bytes === undefined ? new SharedArrayBuffer(0) : bytes.buffer;
  };
  const numbers = new Float64Array(section('numbers'));
  const model = {
    form: record.form,
    ...Object.fromEntries(MODEL_NUMBERS.map((name, i) => [name, numbers[i]])),
    cells: new Uint32Array(section('cells')),
    nodes: new Float64Array(section('nodes')),
  } as Model;
  checkModel(model, record.rows);
  const pageCrcs = new Uint32Array(section('pages'));
  const path = join(directory, segmentName(record.id));
  const read = readSegment(storage, path, schema, {
    fileBytes: record.fileBytes,
    pageCrcs,
  });
  for (const [name, value] of Object.entries(metadata)) {
    if (read.metadata.get(name) === value) continue;
    throw new OmenError(
      'OMEN_CORRUPT',
      `${path} is damaged at offset 0: it is another file's copy, its ${name} is not ${value}.`,
    );
  }
  const body = read.body.buffer;
  const { layout } = read;
  fileKeysToResident(schema.key, record.form, body, layout.key.offset, layout.rows);
  return handleOf(record, body, layout, model);
}
