/**
 * The file beside a segment: its learned index, the statistics of its columns, and the checksums of its pages. Everything in
 * it follows from the segment, so that one that is missing or damaged is no loss: it is made anew.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SegmentLayout } from '../arrow/layout.ts';
import { readSections, type WrittenSections, writeSections } from '../arrow/model-file.ts';
import { isDamage, OmenError } from '../errors.ts';
import { checkModel, type Model, trainBytes, trainF64, trainWords } from '../rmi/index.ts';
import { keyMemory } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import { type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';
import type { KeyForm } from '../view/segment.ts';
import { type Statistics, statisticsLength } from '../view/statistics.ts';
import { modelName, type SegmentRecord } from './manifest.ts';
import { decodeShape, encodeShape, type SegmentShape } from './segment-shape.ts';

/** Whose segments these are, and where. */
export interface SegmentPlace {
  readonly directory: string;
  readonly schema: Schema;
  readonly databaseId: string;
  readonly shard: number;
}

/** What stands in both files of a segment. */
export function metadataOf(place: SegmentPlace, id: number): Record<string, string> {
  return {
    'omendb.version': '1',
    'omendb.database': place.databaseId,
    'omendb.shard': String(place.shard),
    'omendb.segment': String(id),
  };
}

export interface ModelFile {
  readonly model: Model;
  readonly statistics: Statistics;
  /** CRC-32 of every page of the segment's file. */
  readonly pageCrcs: Uint32Array;
  readonly shape: SegmentShape;
}

/** @param body the rows of a segment, keys in their resident `form` */
export function train(form: KeyForm, body: SharedArrayBuffer, layout: SegmentLayout): Model {
  const { rows } = layout;
  const { offsets, data } = layout.key;
  if (offsets !== null) {
    const keys = keyMemory(body, data.offset, data.length);
    return trainBytes(keys, new Int32Array(body, offsets.offset, rows + 1), rows);
  }
  return form === 'f64'
    ? trainF64(new Float64Array(body, data.offset, rows), rows)
    : trainWords(new Uint32Array(body, data.offset, 2 * rows), rows);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** What the manifest keeps of the checksums. */
export function pagesCrcOf(pageCrcs: Uint32Array): number {
  return crc32(bytesOf(pageCrcs));
}

const MODEL_NUMBERS = ['keyCount', 'epsilon', 'windowMax', 'leafCount', 'depth'] as const;

function write(
  storage: Storage,
  place: SegmentPlace,
  id: number,
  path: string,
  { model, statistics, pageCrcs, shape }: ModelFile,
): WrittenSections {
  const numbers = Float64Array.from(MODEL_NUMBERS, (name) => model[name]);
  const sections = {
    pages: bytesOf(pageCrcs),
    segment: bytesOf(encodeShape(shape)),
    numbers: bytesOf(numbers),
    statistics: bytesOf(statistics),
    cells: bytesOf(model.cells),
    nodes: bytesOf(model.nodes),
    ...(model.form === 'bytes' && {
      code: bytesOf(model.code),
      fingerprints: bytesOf(model.fingerprints),
    }),
  };
  return writeSections(storage, path, sections, metadataOf(place, id));
}

/** Writes and syncs the model file of a segment that has none; the caller syncs the directory. */
export function writeModelFile(
  storage: Storage,
  place: SegmentPlace,
  id: number,
  content: ModelFile,
): WrittenSections {
  return write(storage, place, id, join(place.directory, modelName(id)), content);
}

/**
 * The same where a file of this name may be, which is replaced whole or not at all. Returns the record
 * for the manifest: a crash before that is durable leaves a file that is not the one it names, and the
 * next open replaces it again.
 */
export function replaceModelFile(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
  content: ModelFile,
): SegmentRecord {
  const path = join(place.directory, modelName(record.id));
  const temporary = path + TEMPORARY_SUFFIX;
  if (storage.exists(temporary)) storage.remove(temporary);
  const { fileBytes, crc } = write(storage, place, record.id, temporary, content);
  storage.rename(temporary, path);
  return { ...record, modelBytes: fileBytes, modelCrc: crc };
}

/**
 * What the model file of a segment holds, every byte checked; null where it is missing, damaged,
 * unreadable, or not the one that the manifest names.
 * @throws what else the storage throws: OMEN_PERMISSION, OMEN_TOO_MANY_FILES
 */
export function readModelFile(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
): ModelFile | null {
  const path = join(place.directory, modelName(record.id));
  if (!storage.exists(path)) return null;
  try {
    return parse(storage, place, record.id, path, record);
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}

/**
 * What a manifest would say of a segment, by its model file; null where that is missing or damaged, and
 * with it all that tells the segment from a damaged one.
 * @throws as `readModelFile`
 */
export function describeSegment(
  storage: Storage,
  place: SegmentPlace,
  id: number,
): SegmentRecord | null {
  const path = join(place.directory, modelName(id));
  if (!storage.exists(path)) return null;
  try {
    const { pageCrcs, shape } = parse(storage, place, id, path, null);
    const { bodyOffset: _, hasFlags: _flags, keyBytes: _keys, varBytes: _values, ...known } = shape;
    const { bytes: modelBytes, crc: modelCrc } = crcOfFile(storage, path);
    return { ...known, id, pagesCrc: pagesCrcOf(pageCrcs), modelBytes, modelCrc };
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}

function crcOfFile(storage: Storage, path: string): { bytes: number; crc: number } {
  const file = storage.open(path, 'read');
  try {
    const content = new Uint8Array(file.size());
    return { bytes: file.read(content, 0), crc: crc32(content) };
  } finally {
    file.close();
  }
}

function parse(
  storage: Storage,
  place: SegmentPlace,
  id: number,
  path: string,
  record: SegmentRecord | null,
): ModelFile {
  const expected = record && { fileBytes: record.modelBytes, crc: record.modelCrc };
  const sections = readSections(storage, path, expected, metadataOf(place, id));
  const section = (name: string): SharedArrayBuffer => {
    const bytes = sections.get(name);
    return bytes === undefined ? new SharedArrayBuffer(0) : bytes.buffer;
  };
  const numbers = new Float64Array(section('numbers'));
  const shape = decodeShape(place.schema, new Float64Array(section('segment')));
  if (shape === null)
    throw new OmenError('OMEN_CORRUPT', `${path} is damaged at offset 0: its shape`);
  const model = {
    form: shape.form,
    ...Object.fromEntries(MODEL_NUMBERS.map((name, i) => [name, numbers[i]])),
    cells: new Uint32Array(section('cells')),
    nodes: new Float64Array(section('nodes')),
    code: new Uint16Array(section('code')),
    fingerprints: new Uint8Array(section('fingerprints')),
  } as Model;
  checkModel(model, shape.rows);
  const statistics = new Float64Array(section('statistics'));
  if (statistics.length !== statisticsLength(place.schema.columns.length, shape.rows)) {
    throw new OmenError('OMEN_CORRUPT', `${path} is damaged at offset 0: it lacks statistics.`);
  }
  return { model, statistics, pageCrcs: new Uint32Array(section('pages')), shape };
}
