import test from 'ava';
import { countPages, PAGE_BYTES } from '../../src/arrow/pages.ts';
import { readSegment } from '../../src/arrow/reader.ts';
import type { Key } from '../../src/schema/key.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { modelName, segmentName } from '../../src/shard-worker/manifest.ts';
import { salvageSegment } from '../../src/shard-worker/salvage-segment.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { publishFile } from '../../src/storage/storage.ts';
import { contentOf as bytesOf } from '../storage/support.ts';
import { contentOf, flushed, placeOf } from './runs.ts';
import { directoryOf, emptyDisk } from './shards.ts';

const ROWS = 4000;
const NUMBERS = parseSchema({
  key: 'int64',
  columns: { a: 'float64', b: 'timestamp', c: 'int64' },
});
const MIXED = parseSchema({
  key: 'utf8',
  columns: { text: 'utf8?', flag: 'bool?', n: 'int32', blob: 'binary' },
});

const keyOf = (i: number) => `key ${String(i).padStart(6, '0')}${'x'.repeat(i % 20)}`;
const ROWS_OF = new Map<Schema, (i: number) => [Key, unknown]>([
  [NUMBERS, (i) => [BigInt(3 * i), { a: i, b: i, c: BigInt(-i) }]],
  [
    MIXED,
    (i) => [
      keyOf(i),
      i % 11 === 5
        ? null
        : {
            text: i % 7 === 0 ? null : 'y'.repeat(i % 60),
            flag: i % 5 === 0 ? null : i % 2 === 0,
            n: i,
            blob: new Uint8Array(i % 3).fill(i),
          },
    ],
  ],
]);

function segmentOf(schema: Schema) {
  const storage = emptyDisk(1);
  const rowOf = ROWS_OF.get(schema);
  if (rowOf === undefined) throw new Error('There are no rows of this schema.');
  const changes = Array.from({ length: ROWS }, (_, i) => rowOf(i));
  const [written] = flushed(storage, schema, changes, 1);
  const path = `${directoryOf(0)}/${segmentName(1)}`;
  return { storage, written, path, content: contentOf(storage, schema, [written]) };
}

/** Changes one byte of a page. */
function damage(storage: CrashStorage, path: string, page: number): void {
  const bytes = bytesOf(storage, path);
  bytes[Math.min(page * PAGE_BYTES + 777, bytes.length - 1)] ^= 8;
  publishFile(storage, path, bytes);
}

for (const [name, schema] of Object.entries({ numbers: NUMBERS, 'everything there is': MIXED })) {
  test(`whichever pages are damaged, the other rows come back as they were, with ${name}`, (t) => {
    const { storage, written, path, content } = segmentOf(schema);
    const pages = countPages(written.record.fileBytes);
    t.true(pages >= 2, `${pages} pages`);
    for (let chosen = 1; chosen < 2 ** pages; chosen++) {
      const disk = storage.restart();
      const isChosen = (page: number) => (chosen & (1 << page)) !== 0;
      for (let page = 0; page < pages; page++) if (isChosen(page)) damage(disk, path, page);
      const { damage: found, write } = salvageSegment(disk, placeOf(schema), written.record);
      const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
      const lost = found.reduce((sum, one) => sum + one.rows, 0);
      const wanted = Array.from({ length: pages }, (_, page) => page).filter(isChosen);
      const last = written.record.fileBytes - (pages - 1) * PAGE_BYTES;
      const bytesOfPage = (page: number) => (page === pages - 1 ? last : PAGE_BYTES);
      t.is(
        bytes,
        wanted.reduce((sum, page) => sum + bytesOfPage(page), 0),
      );
      const kept =
        write === null ? [] : contentOf(disk, schema, [{ ...written, record: write(2) }]);
      t.is(kept.length, ROWS - lost, `pages ${wanted}`);
      t.true(lost > 0 || wanted.every((page) => page === pages - 1), `pages ${wanted}`);
      const original = new Map(content.map(([key, row]) => [key, row]));
      t.deepEqual(
        kept,
        kept.map(([key]): [Key, unknown] => [key, original.get(key)]),
      );
    }
  });
}

test('of rows of fixed width, those are lost that have a byte in a damaged page, and no others', (t) => {
  const { storage, written, path, content } = segmentOf(NUMBERS);
  const { fileBytes } = written.record;
  const { bodyOffset, layout } = readSegment(storage, path, NUMBERS, { fileBytes, pageCrcs: null });
  const isIn = (offset: number, page: number) => {
    const at = bodyOffset + offset;
    return at < (page + 1) * PAGE_BYTES && at + 8 > page * PAGE_BYTES;
  };
  for (let page = 0; page < countPages(fileBytes); page++) {
    const disk = storage.restart();
    damage(disk, path, page);
    const { write } = salvageSegment(disk, placeOf(NUMBERS), written.record);
    const kept = write === null ? [] : contentOf(disk, NUMBERS, [{ ...written, record: write(2) }]);
    const wanted = content.filter((_, row) => {
      const fields = [layout.key, ...layout.columns];
      return !fields.some(({ data }) => isIn(data.offset + 8 * row, page));
    });
    t.deepEqual(kept, wanted, `page ${page}`);
  }
});

test('a segment cut off keeps what is before, and one that grew keeps all', (t) => {
  const { storage, written, path, content } = segmentOf(NUMBERS);
  const bytes = bytesOf(storage, path);
  const disk = storage.restart();
  publishFile(disk, path, new Uint8Array([...bytes, 1, 2, 3]));
  const grown = salvageSegment(disk, placeOf(NUMBERS), written.record);
  t.deepEqual(grown.damage, [{ offset: bytes.length, bytes: 3, rows: 0 }]);
  const record = grown.write?.(2) ?? written.record;
  t.is(record.id, 2);
  t.deepEqual(contentOf(disk, NUMBERS, [{ ...written, record }]), content);
  publishFile(disk, path, bytes.slice(0, bytes.length - 1));
  const cut = salvageSegment(disk, placeOf(NUMBERS), written.record);
  t.like(cut.damage, [{ offset: Math.floor(bytes.length / PAGE_BYTES) * PAGE_BYTES }]);
});

test('without its model file nothing of a damaged segment is believed', (t) => {
  const { storage, written, path } = segmentOf(NUMBERS);
  damage(storage, path, 1);
  storage.remove(`${directoryOf(0)}/${modelName(1)}`);
  const { damage: found, write } = salvageSegment(storage, placeOf(NUMBERS), written.record);
  t.deepEqual(found, [{ offset: 0, bytes: written.record.fileBytes, rows: ROWS }]);
  t.is(write, null);
});
