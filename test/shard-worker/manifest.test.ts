import { crc32 } from 'node:zlib';
import test from 'ava';
import { OmenError } from '../../src/errors.ts';
import { MANIFEST_FORMAT, ManifestFile } from '../../src/shard-worker/manifest.ts';
import { publishFile, type Storage } from '../../src/storage/storage.ts';
import { DATABASE_ID, directoryOf, emptyDisk } from './shards.ts';

const DIRECTORY = directoryOf(0);
const NAME = 'manifest-0000000001.json';
const LOG = 'wal-0000000002.log';
const FILES = { fileBytes: 10, pagesCrc: 9, modelBytes: 20, modelCrc: 7 } as const;
const LINEAGE = { firstLsn: 1, lastLsn: 9, run: 2, part: 1, parts: 2 } as const;
const RECORD = { id: 3, rows: 5, form: 'f64', ...FILES, ...LINEAGE } as const;

function open(storage: Storage, shard = 0, databaseId = DATABASE_ID): ManifestFile {
  return ManifestFile.open(storage, DIRECTORY, databaseId, shard);
}

function written(): { storage: Storage; bytes: Uint8Array } {
  const storage = emptyDisk(1);
  const manifest = open(storage);
  manifest.replace({
    ...manifest.current,
    flushedLsn: 9,
    logLsn: 8,
    logFile: LOG,
    nextId: 4,
    runs: [[RECORD]],
    cleared: [[Uint32Array.of(1, 2, 3)]],
  });
  const file = storage.open(`${DIRECTORY}/${NAME}`, 'read');
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0);
  file.close();
  return { storage, bytes };
}

/** A manifest with a right checksum. */
function sealed(content: unknown): Uint8Array {
  const line = JSON.stringify(content);
  return new TextEncoder().encode(`${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`);
}

/** The error that opening gives when these are the bytes of the newest manifest. */
function errorOf(bytes: Uint8Array): OmenError | null {
  const storage = emptyDisk(1);
  publishFile(storage, `${DIRECTORY}/${NAME}`, bytes);
  try {
    open(storage);
  } catch (error) {
    if (error instanceof OmenError) return error;
    throw error;
  }
  return null;
}

test('a shard without a manifest is empty, and what is replaced is read back', (t) => {
  const { storage } = written();
  const { current } = open(storage);
  t.deepEqual(current.runs, [[RECORD]]);
  t.deepEqual(current.cleared, [[Uint32Array.of(1, 2, 3)]]);
  t.deepEqual([current.flushedLsn, current.logLsn, current.nextId], [9, 8, 4]);
  t.is(current.logFile, LOG);
  const empty = open(emptyDisk(1)).current;
  t.deepEqual([empty.flushedLsn, empty.logLsn, empty.runs], [0, 1, []]);
});

test('the newest manifest counts, and the ones before it are removed', (t) => {
  const { storage } = written();
  const manifest = open(storage);
  for (let nextId = 5; nextId < 8; nextId++) manifest.replace({ ...manifest.current, nextId });
  t.is(open(storage).current.nextId, 7);
  manifest.renew();
  t.deepEqual(storage.list(DIRECTORY), ['manifest-0000000005.json']);
  t.is(open(storage).current.nextId, 7);
});

test('a shard that never had a manifest is not given one for being opened', (t) => {
  const storage = emptyDisk(1);
  open(storage).renew();
  t.deepEqual(storage.list(DIRECTORY), []);
});

test('damage to any byte is refused by the name of the file', (t) => {
  const { bytes } = written();
  for (let at = 0; at < bytes.length - 1; at++) {
    for (const flip of [1, 0x80]) {
      const damaged = bytes.slice();
      damaged[at] ^= flip;
      const error = errorOf(damaged);
      t.is(error?.code, 'OMEN_CORRUPT', `byte ${at}`);
      t.true(error?.message.includes(NAME));
    }
  }
});

test('a manifest cut short is refused', (t) => {
  const { bytes } = written();
  for (let length = 0; length < bytes.length - 1; length++) {
    t.is(errorOf(bytes.slice(0, length))?.code, 'OMEN_CORRUPT', `${length} bytes`);
  }
});

test('a newer format, another shard, another database and numbers that are none are refused', (t) => {
  const { storage } = written();
  const cleared = [['AQAAAAIAAAADAAAA']];
  const current = { ...open(storage).current, cleared };
  t.is(errorOf(sealed(current)), null);
  t.is(errorOf(sealed({ ...current, format: MANIFEST_FORMAT + 1 }))?.code, 'OMEN_NEWER_FORMAT');
  t.is(errorOf(sealed({ ...current, shard: 1 }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, databaseId: 'f'.repeat(32) }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, logLsn: -1 }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, flushedLsn: null }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, runs: [[{ ...RECORD, rows: 0.5 }]] }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, cleared: [] }))?.code, 'OMEN_CORRUPT');
  t.is(errorOf(sealed({ ...current, cleared: [['AQAAAA']] })), null);
  t.is(errorOf(sealed({ ...current, cleared: [['AQAA']] }))?.code, 'OMEN_CORRUPT');
  const { pagesCrc: _, ...older } = RECORD;
  t.is(errorOf(sealed({ ...current, runs: [[older]] }))?.code, 'OMEN_CORRUPT');
});
