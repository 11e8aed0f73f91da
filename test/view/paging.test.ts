/** Segments whose pages come as they are asked for, beside the same ones read at once. */
import test from 'ava';
import fc from 'fast-check';
import { PAGE_BYTES } from '../../src/arrow/pages.ts';
import { OmenError } from '../../src/errors.ts';
import { type Key, KeyCodec } from '../../src/schema/key.ts';
import { type KeyType, parseSchema, type Schema } from '../../src/schema/schema.ts';
import { segmentName } from '../../src/shard-worker/manifest.ts';
import { readSegmentFiles } from '../../src/shard-worker/segment-files.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { publishFile, type Storage } from '../../src/storage/storage.ts';
import { isPagedIn } from '../../src/view/paging.ts';
import { Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { compileReaders } from '../../src/view/shard-view.ts';
import { type Change, flushed, placeOf } from '../shard-worker/runs.ts';
import { directoryOf, emptyDisk } from '../shard-worker/shards.ts';
import { contentOf } from '../storage/support.ts';

const ROWS = 1500;
const COLUMNS = {
  isOdd: 'bool?',
  n: 'int32',
  x: 'float64?',
  note: 'utf8?',
  at: 'timestamp',
  raw: 'binary',
} as const;

const rowOf = (i: number) => ({
  isOdd: i % 5 === 0 ? null : i % 2 === 1,
  n: 7 * i,
  x: i % 3 === 0 ? null : i / 3,
  note: i % 4 === 0 ? null : `row ${i} `.repeat(i % 30),
  at: new Date(i),
  raw: new Uint8Array(i % 200).fill(i),
});

/** Keys that ascend, unevenly; every second one has a row, and of those some are tombstones. */
const KEYS: Readonly<Record<string, readonly [KeyType, (i: number) => Key]>> = {
  'numbers of int64': ['int64', (i) => i ** 3 - 1000],
  'words of int64': ['int64', (i) => BigInt(i) ** 5n * 17n - 2n ** 62n],
  'words of uint64': ['uint64', (i) => 2n ** 63n + BigInt(i * i)],
  float64: ['float64', (i) => (i - ROWS) * Math.sqrt(i + 1)],
  timestamp: ['timestamp', (i) => new Date(60_000 * i)],
};

interface Made {
  readonly schema: Schema;
  readonly storage: CrashStorage;
  /** The same, which counts what is open. */
  readonly counted: Storage;
  readonly open: { count: number };
  readonly path: string;
  readonly keyOf: (i: number) => Key;
  readonly whole: Segment;
  /** The same segment, opened anew, nothing of it read. */
  paged(): SegmentHandle;
}

function make(name: string): Made {
  const [key, keyOf] = KEYS[name];
  const schema = parseSchema({ key, columns: COLUMNS });
  const storage = emptyDisk(1);
  const changes = Array.from({ length: ROWS }, (_, i): Change => {
    return [keyOf(2 * i + 1), i % 11 === 6 ? null : rowOf(i)];
  });
  const [{ record }] = flushed(storage, schema, changes, 1);
  const read = (isPaged: boolean) =>
    readSegmentFiles(storage, placeOf(schema), record, isPaged).handle;
  const open = { count: 0 };
  return {
    ...{ schema, storage, keyOf, open },
    counted: counting(storage, open),
    path: `${directoryOf(0)}/${segmentName(record.id)}`,
    whole: new Segment(read(false), key),
    paged: () => read(true),
  };
}

function counting(storage: CrashStorage, open: { count: number }): Storage {
  return new Proxy<Storage>(storage, {
    get(target, name) {
      const own = target[name as keyof Storage] as (...args: unknown[]) => unknown;
      if (name !== 'open') return own.bind(target);
      return (...args: Parameters<Storage['open']>) => {
        const file = target.open(...args);
        open.count++;
        const close = file.close.bind(file);
        file.close = () => {
          open.count--;
          close();
        };
        return file;
      };
    },
  });
}

/** The message of the OmenError that `run` throws, '' when it throws none; other errors pass through. */
function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CORRUPT') return error.message;
    throw error;
  }
  return '';
}

const present = ({ paging }: SegmentHandle): number =>
  paging === undefined ? 0 : paging.present.reduce((sum, is) => sum + is, 0);

/** What a segment has for a key: a row, null for a tombstone, undefined for nothing. */
function lookUp(made: Made, segment: Segment, i: number): unknown {
  const codec = new KeyCodec(made.schema.key, true);
  codec.encode(made.keyOf(i));
  const row = segment.locate(codec.hi, codec.lo, codec.number);
  if (row < 0) return undefined;
  if (segment.isDeleted(row)) return null;
  return compileReaders(made.schema, true).segment(segment.columns, row);
}

for (const name of Object.keys(KEYS)) {
  test(`a look-up of ${name} brings in what it needs, and gives what it gives of all`, (t) => {
    const made = make(name);
    const keys = fc.array(fc.integer({ min: 0, max: 2 * ROWS }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(keys, (asked) => {
        const handle = made.paged();
        t.is(present(handle), 0);
        const segment = new Segment(handle, made.schema.key, made.counted);
        for (const i of asked) {
          t.deepEqual(lookUp(made, segment, i), lookUp(made, made.whole, i), `key ${i}`);
        }
        t.is(made.open.count, 0);
      }),
      { numRuns: 40 },
    );
    const handle = made.paged();
    const segment = new Segment(handle, made.schema.key, made.counted);
    lookUp(made, segment, ROWS + 1);
    const pages = handle.paging?.present.length ?? 0;
    t.true(pages >= 5 && present(handle) > 0 && present(handle) < pages);
    t.false(isPagedIn(handle.paging as NonNullable<typeof handle.paging>));
    t.throws(() => new Segment(handle, made.schema.key), { message: /not resident/ });
  });

  test(`${name}: once all has come in, the segment is the one that is read at once`, (t) => {
    const made = make(name);
    const handle = made.paged();
    const [one, other] = [0, 1].map(() => new Segment(handle, made.schema.key, made.counted));
    lookUp(made, one, 99);
    lookUp(made, other, 2 * ROWS - 1);
    other.paging?.ensureAll();
    t.true(one.paging?.isComplete);
    t.deepEqual(Buffer.from(handle.body), Buffer.from(made.whole.handle.body));
    // Now it is anybody's, and whoever has it already looks up as ever.
    t.is(new Segment(handle, made.schema.key).paging, null);
    for (let i = 0; i < 2 * ROWS; i += 17) {
      t.deepEqual(lookUp(made, one, i), lookUp(made, made.whole, i));
    }
  });
}

test('of a page that is damaged nothing is believed, of all others everything', (t) => {
  const made = make('numbers of int64');
  const sound = contentOf(made.storage, made.path);
  const pages = Math.ceil(sound.length / PAGE_BYTES);
  let refused = 0;
  for (let page = 0; page < pages; page++) {
    const bytes = sound.slice();
    bytes[Math.min(sound.length - 1, page * PAGE_BYTES + 4711)] ^= 1 << (page % 8);
    publishFile(made.storage, made.path, bytes);
    const where = `${made.path} is damaged at byte ${page * PAGE_BYTES}:`;
    // What is read at once, the head and the end, is refused at once.
    const handle = refusalOf(() => made.paged()) === '' ? made.paged() : null;
    t.is(handle === null, page === 0 || page === pages - 1, `page ${page}`);
    if (handle === null) continue;
    const segment = new Segment(handle, made.schema.key, made.counted);
    for (let i = 0; i < 2 * ROWS; i += 13) {
      const wanted = lookUp(made, made.whole, i);
      const message = refusalOf(() => t.deepEqual(lookUp(made, segment, i), wanted));
      if (message === '') continue;
      refused++;
      t.true(message.startsWith(where), message);
    }
    t.true(refusalOf(() => segment.paging?.ensureAll()).startsWith(where));
    t.false(segment.paging?.isComplete);
    t.is(made.open.count, 0);
  }
  t.true(refused > 0);
});

test('who brings in everything for nobody in particular can be told to stop; who wants it goes on', (t) => {
  const made = make('float64');
  const handle = made.paged();
  const [job, reader] = [0, 1].map(() => new Segment(handle, 'float64', made.counted).paging);
  reader?.stop();
  job?.ensureAllUnlessStopped();
  t.is(present(handle), 0);
  reader?.ensureAll();
  t.true(job?.isComplete);
});
