/**
 * The file beside a segment: its learned index, the statistics of its columns, and the checksums of its pages. Everything in
 * it follows from the segment, so that one that is missing or damaged is no loss: it is made anew.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SegmentLayout } from '../arrow/layout.ts';
import { readSections, type WrittenSections, writeSections } from '../arrow/model-file.ts';
import { type ErrorCode, OmenError } from '../errors.ts';
import { checkModel, type Model, trainBytes, trainF64, trainWords } from '../rmi/index.ts';
import { keyMemory } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import { type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';
import type { KeyForm } from '../view/segment.ts';
import { type Statistics, statisticsLength } from '../view/statistics.ts';
import { modelName, type SegmentRecord } from './manifest.ts';

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
  { model, statistics, pageCrcs }: ModelFile,
): WrittenSections {
  const numbers = Float64Array.from(MODEL_NUMBERS, (name) => model[name]);
  const sections = {
    pages: bytesOf(pageCrcs),
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

/** What the storage says of a file that is damaged, or lies on a part of the disk that is. */
const LOST: readonly ErrorCode[] = ['OMEN_CORRUPT', 'OMEN_IO'];

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
    return parse(storage, place, record, path);
  } catch (error) {
    if (error instanceof OmenError && LOST.includes(error.code)) return null;
    throw error;
  }
}

function parse(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
  path: string,
): ModelFile {
  const expected = { fileBytes: record.modelBytes, crc: record.modelCrc };
  const sections = readSections(storage, path, expected, metadataOf(place, record.id));
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
    code: new Uint16Array(section('code')),
    fingerprints: new Uint8Array(section('fingerprints')),
  } as Model;
  checkModel(model, record.rows);
  const statistics = new Float64Array(section('statistics'));
  if (statistics.length !== statisticsLength(place.schema.columns.length, record.rows)) {
    throw new OmenError('OMEN_CORRUPT', `${path} is damaged at offset 0: it lacks statistics.`);
  }
  return { model, statistics, pageCrcs: new Uint32Array(section('pages')) };
}
