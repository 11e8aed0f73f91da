import test from 'ava';
import { OmenError } from '../../src/errors.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { modelName, type SegmentRecord, segmentName } from '../../src/shard-worker/manifest.ts';
import { replaceModelFile } from '../../src/shard-worker/model-files.ts';
import {
  readSegmentFiles,
  type WrittenSegmentFiles,
} from '../../src/shard-worker/segment-files.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { publishFile, TEMPORARY_SUFFIX } from '../../src/storage/storage.ts';
import { contentOf as bytesOf, codeOf } from '../storage/support.ts';
import { type Change, contentOf, flushed, placeOf } from './runs.ts';
import { directoryOf, emptyDisk } from './shards.ts';

const NUMBERS = parseSchema({ key: 'int64', columns: { n: 'float64' } });
const WIDE = parseSchema({ key: 'uint64', columns: { text: 'utf8?' } });
const ROW_OF = new Map<Schema, (i: number) => unknown>([
  [NUMBERS, (i) => ({ n: i })],
  [WIDE, (i) => ({ text: i % 3 === 0 ? null : `${i}` })],
]);

const pathOf = (name: string): string => `${directoryOf(0)}/${name}`;
const modelOf = ({ record }: WrittenSegmentFiles): string => pathOf(modelName(record.id));
const fileOf = ({ record }: WrittenSegmentFiles): string => pathOf(segmentName(record.id));

/** A segment of a few rows in a directory of its own, some of them deleted. */
function segment(schema: Schema, rows: number, storage = emptyDisk(1), id = 1) {
  const wide = schema === WIDE ? 2n ** 63n : 0n;
  const changes = Array.from({ length: rows }, (_, i): Change => {
    const row = i % 7 === 3 ? null : ROW_OF.get(schema)?.(i);
    return [wide + BigInt(i) ** 3n, row];
  });
  const [written] = flushed(storage, schema, changes, id);
  return { storage, written, content: contentOf(storage, schema, [written]) };
}

function put(storage: CrashStorage, path: string, bytes: Uint8Array | null): void {
  if (bytes === null) storage.remove(path);
  else publishFile(storage, path, bytes);
}

function isRebuilt(storage: CrashStorage, schema: Schema, record: SegmentRecord): boolean {
  return readSegmentFiles(storage, placeOf(schema), record).rebuilt !== null;
}

for (const [name, schema] of Object.entries({ numbers: NUMBERS, words: WIDE })) {
  test(`a model over ${name} that is missing, cut off or another segment's is trained again`, (t) => {
    const { storage, written, content } = segment(schema, 500);
    const sound = bytesOf(storage, modelOf(written));
    const { written: other } = segment(schema, 500, emptyDisk(1), 2);
    const { storage: twin, written: same } = segment(schema, 501);
    const { storage: third } = segment(schema, 500, emptyDisk(1), 2);
    t.false(isRebuilt(storage, schema, written.record));
    const damages = {
      missing: null,
      empty: new Uint8Array(0),
      'cut off': sound.slice(0, sound.length - 1),
      halved: sound.slice(0, sound.length >>> 1),
      longer: Buffer.concat([sound, new Uint8Array(64)]),
      zeros: new Uint8Array(sound.length),
      'a segment, not a model': bytesOf(storage, fileOf(written)),
      'of another segment of the same keys': bytesOf(third, modelOf(other)),
      'of a segment of the same number': bytesOf(twin, modelOf(same)),
    };
    for (const [what, bytes] of Object.entries(damages)) {
      put(storage, modelOf(written), bytes);
      const { handle, rebuilt } = readSegmentFiles(storage, placeOf(schema), written.record);
      t.deepEqual(handle.model, written.handle.model, what);
      t.deepEqual(handle.statistics, written.handle.statistics, what);
      t.deepEqual(contentOf(storage, schema, [written]), content, what);
      if (rebuilt === null) throw new Error(`${what}: nothing was rebuilt`);
      const record = replaceModelFile(storage, placeOf(schema), written.record, rebuilt);
      t.deepEqual(record, written.record, what);
      t.false(isRebuilt(storage, schema, record), what);
      t.deepEqual(bytesOf(storage, modelOf(written)), sound, what);
    }
  });
}

test('whichever byte of a model file is damaged, the segment opens and its rows are all there', (t) => {
  const { storage, written, content } = segment(NUMBERS, 9);
  const sound = bytesOf(storage, modelOf(written));
  const wrong: number[] = [];
  for (let at = 0; at < sound.length; at++) {
    const bytes = sound.slice();
    bytes[at] ^= 1 << (at % 8);
    put(storage, modelOf(written), bytes);
    if (!isRebuilt(storage, NUMBERS, written.record)) wrong.push(at);
  }
  t.deepEqual(wrong, []);
  t.deepEqual(contentOf(storage, NUMBERS, [written]), content);
});

test('a segment that is damaged is refused with file and offset, its model lost or not', (t) => {
  for (const schema of [NUMBERS, WIDE]) {
    const { storage, written } = segment(schema, 9);
    const sound = bytesOf(storage, fileOf(written));
    const model = bytesOf(storage, modelOf(written));
    const undetected: string[] = [];
    for (let at = 0; at < sound.length; at++) {
      const bytes = sound.slice();
      bytes[at] ^= 1 << (at % 8);
      put(storage, fileOf(written), bytes);
      for (const beside of [model, null]) {
        if (beside !== null || storage.exists(modelOf(written))) {
          put(storage, modelOf(written), beside);
        }
        try {
          readSegmentFiles(storage, placeOf(schema), written.record);
          undetected.push(`byte ${at}`);
        } catch (error) {
          const isNamed =
            error instanceof OmenError &&
            error.code === 'OMEN_CORRUPT' &&
            error.message.startsWith(`${fileOf(written)} is damaged at `);
          if (!isNamed) throw error;
        }
      }
    }
    t.deepEqual(undetected, []);
  }
});

test("a whole segment that is another's is refused, though its model is lost", (t) => {
  const { storage, written } = segment(NUMBERS, 20);
  const { storage: elsewhere, written: other } = segment(NUMBERS, 20, emptyDisk(1), 2);
  put(storage, fileOf(written), bytesOf(elsewhere, fileOf(other)));
  for (const model of [bytesOf(storage, modelOf(written)), null]) {
    put(storage, modelOf(written), model);
    t.is(
      codeOf(() => readSegmentFiles(storage, placeOf(NUMBERS), written.record)),
      'OMEN_CORRUPT',
    );
  }
});

test('a model on a part of the disk that cannot be read is lost; one that may not be read is not', (t) => {
  const { storage, written } = segment(NUMBERS, 20);
  const read = () => readSegmentFiles(storage, placeOf(NUMBERS), written.record);
  for (const operation of [0, 1, 2]) {
    storage.failAt(storage.operations + operation, { error: 'EIO', lasting: false });
    t.deepEqual(read().rebuilt?.model, written.handle.model);
  }
  storage.failAt(storage.operations, { error: 'EACCES', lasting: false });
  t.is(codeOf(read), 'OMEN_PERMISSION');
  t.is(read().rebuilt, null);
});

test('killed anywhere while a model file is replaced, the next open replaces it', (t) => {
  for (let at = 0; ; at++) {
    const { storage, written, content } = segment(NUMBERS, 40);
    put(storage, modelOf(written), new Uint8Array(3));
    storage.syncDirectory(directoryOf(0));
    const { rebuilt } = readSegmentFiles(storage, placeOf(NUMBERS), written.record);
    if (rebuilt === null) throw new Error('nothing was rebuilt');
    const kill = (['before', 'torn', 'after'] as const)[at % 3];
    storage.failAt(storage.operations + Math.floor(at / 3), { kill });
    let isWhole = false;
    try {
      replaceModelFile(storage, placeOf(NUMBERS), written.record, rebuilt);
      storage.syncDirectory(directoryOf(0));
      isWhole = true;
    } catch {
      // Killed: what is left is looked at below.
    }
    for (let seed = 0; seed < 12; seed++) {
      const disk = seed === 0 ? storage.restart() : storage.crash(seed);
      const read = readSegmentFiles(disk, placeOf(NUMBERS), written.record);
      if (isWhole) t.is(read.rebuilt, null);
      t.deepEqual(contentOf(disk, NUMBERS, [written]), content);
      if (read.rebuilt === null) continue;
      replaceModelFile(disk, placeOf(NUMBERS), written.record, read.rebuilt);
      t.false(isRebuilt(disk, NUMBERS, written.record));
      t.false(disk.exists(modelOf(written) + TEMPORARY_SUFFIX));
    }
    if (isWhole) {
      t.true(at > 20, `${at} cases`);
      return;
    }
  }
});
