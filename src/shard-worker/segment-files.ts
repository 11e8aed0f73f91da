/**
 * Segments on disk: an Arrow file each, and beside it its learned index with the checksums of the
 * Arrow file's pages. Written once and synced; the caller syncs the directory, then names them in
 * the manifest.
 */
import { join } from 'node:path';
import type { SegmentLayout } from '../arrow/layout.ts';
import { readSegment } from '../arrow/reader.ts';
import { writeSegment } from '../arrow/writer.ts';
import { CORRUPT_ADVICE, OmenError } from '../errors.ts';
import { modelBytes } from '../rmi/index.ts';
import type { Storage } from '../storage/storage.ts';
import { newPaging } from '../view/paging.ts';
import {
  fileKeysToResident,
  type KeyForm,
  residentKeysToFile,
  type SegmentHandle,
} from '../view/segment.ts';
import { statisticsOf } from '../view/statistics.ts';
import { type SegmentRecord, segmentName } from './manifest.ts';
import {
  type ModelFile,
  metadataOf,
  pagesCrcOf,
  readModelFile,
  type SegmentPlace,
  train,
  writeModelFile,
} from './model-files.ts';
import { type Lineage, shapeOf } from './segment-shape.ts';

/** A segment just written: for the manifest, and for the view. */
export interface WrittenSegmentFiles {
  readonly record: SegmentRecord;
  readonly handle: SegmentHandle;
}

export interface ReadSegmentFiles {
  readonly handle: SegmentHandle;
  /** What its model file should hold, where that was missing or damaged: made from the segment. */
  readonly rebuilt: ModelFile | null;
}

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
  lineage: Lineage,
): WrittenSegmentFiles {
  const { directory, schema } = place;
  const model = train(form, body, layout);
  residentKeysToFile(schema.key, form, body, layout.key.data.offset, layout.rows);
  const path = join(directory, segmentName(id));
  const bytes = new Uint8Array(body, 0, layout.bodyBytes);
  const { fileBytes, bodyOffset, pageCrcs } = writeSegment(
    storage,
    path,
    schema,
    layout,
    bytes,
    metadataOf(place, id),
    nullCounts,
  );
  fileKeysToResident(schema.key, form, body, layout.key.data.offset, layout.rows);
  const shape = shapeOf({ ...lineage, form, fileBytes }, layout, bodyOffset);
  const content = { model, statistics: statisticsOf(schema, layout, body), pageCrcs, shape };
  const modelFile = writeModelFile(storage, place, id, content);
  const record: SegmentRecord = {
    ...lineage,
    id,
    rows: layout.rows,
    form,
    fileBytes,
    pagesCrc: pagesCrcOf(pageCrcs),
    modelBytes: modelFile.fileBytes,
    modelCrc: modelFile.crc,
  };
  return { record, handle: handleOf(record, body, layout, content) };
}

function handleOf(
  record: SegmentRecord,
  body: SharedArrayBuffer,
  layout: SegmentLayout,
  { model, statistics }: ModelFile,
): SegmentHandle {
  const { id, form, fileBytes } = record;
  const indexBytes = modelBytes(model);
  return { id, body, layout, form, model, statistics, fileBytes, modelBytes: indexBytes };
}

/**
 * Reads a segment and its index into shared memory, every byte checked; of a segment that is `isPaged`, all
 * but the body, whose pages are checked as they come in. A model file that is missing or
 * damaged is no error: the segment is then checked as a whole, and its index trained again.
 * @throws OMEN_CORRUPT naming the file, and the offset unless it is missing; what the storage throws
 */
export function readSegmentFiles(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
  isPaged = false,
): ReadSegmentFiles {
  const { directory, schema } = place;
  const path = join(directory, segmentName(record.id));
  if (!storage.exists(path)) {
    throw new OmenError('OMEN_CORRUPT', `${path} is missing. ${CORRUPT_ADVICE}`);
  }
  const known = readModelFile(storage, place, record);
  const isDeferred = isPaged && known !== null && record.form !== 'bytes';
  const read = readSegment(storage, path, schema, {
    ...{ fileBytes: record.fileBytes, pageCrcs: known?.pageCrcs ?? null, isDeferred },
  });
  const { layout, pageCrcs } = read;
  const refuse = (what: string): OmenError =>
    new OmenError('OMEN_CORRUPT', `${path} is damaged at offset 0: ${what}. ${CORRUPT_ADVICE}`);
  if (pagesCrcOf(pageCrcs) !== record.pagesCrc) {
    throw refuse(
      'its checksum is wrong, in which page cannot be said: the checksums of pages are lost with ' +
        'its model file',
    );
  }
  for (const [name, value] of Object.entries(metadataOf(place, record.id))) {
    if (read.metadata.get(name) === value) continue;
    throw refuse(`it is another file's copy, its ${name} is not ${value}`);
  }
  const body = read.body.buffer;
  if (isDeferred) {
    const paging = newPaging(path, record.fileBytes, read.bodyOffset, layout, pageCrcs);
    return { handle: { ...handleOf(record, body, layout, known), paging }, rebuilt: null };
  }
  fileKeysToResident(schema.key, record.form, body, layout.key.data.offset, layout.rows);
  if (known !== null) {
    return { handle: handleOf(record, body, layout, known), rebuilt: null };
  }
  const model = train(record.form, body, layout);
  const shape = shapeOf(record, layout, read.bodyOffset);
  const rebuilt = { model, statistics: statisticsOf(schema, layout, body), pageCrcs, shape };
  return { handle: handleOf(record, body, layout, rebuilt), rebuilt };
}
