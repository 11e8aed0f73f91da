/**
 * Recovery is fed what no crash leaves: manifests and logs of any content under right checksums. It ends in
 * a shard or in a coded error, in bounded time and memory. Segments and models have the same in
 * test/arrow and test/rmi.
 */
import { crc32 } from 'node:zlib';
import test from 'ava';
import { OmenError } from '../../src/errors.ts';
import { decideBatches } from '../../src/shard-worker/decide-batches.ts';
import { Engine } from '../../src/shard-worker/engine.ts';
import { runJob } from '../../src/shard-worker/jobs.ts';
import { ManifestFile } from '../../src/shard-worker/manifest.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { type Random, seededRandom } from '../../src/storage/model-file.ts';
import { publishFile } from '../../src/storage/storage.ts';
import { collectGarbage } from '../../src/view/collect-garbage.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { BLOCK_BYTES } from '../../src/wal/header.ts';
import { type AtRest, damaged, databaseAtRest, imageOf } from './at-rest.ts';
import { DATABASE_ID, directoryOf, emptyDisk, SCHEMA } from './shards.ts';

const CODES = ['OMEN_CORRUPT', 'OMEN_NEWER_FORMAT'];

/** The code that `run` ends with, '' for none; what has no code passes through. */
async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof OmenError) return error.code;
    throw error;
  }
  return '';
}

/** More than a parser takes that believes no number it reads, whatever else this process needs. */
const MEMORY_KIB_MAX = 256 * 1024;

/** Fails where memory grew without bound since this was called. */
function memoryBound(): () => void {
  const before = process.resourceUsage().maxRSS;
  return () => {
    const grown = process.resourceUsage().maxRSS - before;
    if (grown > MEMORY_KIB_MAX) throw new Error(`${grown} KiB more than before`);
  };
}

/** Time is bounded where what is read is: by a few times what there is. */
function checkReads(disk: CrashStorage, bytes: number): void {
  const reads = disk.log.filter(({ kind }) => kind === 'read');
  const read = reads.reduce((sum, one) => sum + one.bytes, 0);
  if (read > 8 * bytes) throw new Error(`${read} bytes were read, where there are ${bytes}`);
  if (disk.operations > 2000) throw new Error(`${disk.operations} operations`);
}

const WILD = [
  null,
  true,
  -1,
  0,
  0.5,
  1e300,
  2 ** 53,
  '',
  '../../etc',
  'f64',
  [],
  [[]],
  [[null]],
  {},
];

/** The same value with one of its parts replaced, doubled or gone. */
function mutated(value: unknown, random: Random): unknown {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  if (typeof value !== 'object' || value === null || random() < 0.15) return pick(WILD);
  const copy = structuredClone(value) as Record<string, unknown>;
  const keys = Object.keys(copy);
  if (keys.length === 0) return pick(WILD);
  const key = pick(keys);
  if (random() < 0.1) delete copy[key];
  else copy[key] = random() < 0.1 ? copy[pick(keys)] : mutated(copy[key], random);
  return Array.isArray(value) ? Object.values(copy) : copy;
}

test('a manifest of any content under a right checksum is taken or refused', async (t) => {
  const database = await databaseAtRest('numbers');
  const [[path, content]] = [...imageOf(database.disk)].filter(([name]) =>
    name.includes('manifest'),
  );
  const [line] = new TextDecoder().decode(content).split('\n');
  const checkMemory = memoryBound();
  const random = seededRandom(31);
  const seen = new Map<string, number>();
  for (let run = 0; run < 4000; run++) {
    let value: unknown = JSON.parse(line);
    for (let change = 0; change <= random() * 3; change++) value = mutated(value, random);
    const text = JSON.stringify(value);
    const disk = emptyDisk(1);
    const sealed = `${text}\n${crc32(text).toString(16).padStart(8, '0')}\n`;
    publishFile(disk, path, new TextEncoder().encode(sealed));
    const code = await codeOf(() => {
      const { current } = ManifestFile.open(disk, directoryOf(0), DATABASE_ID, 0);
      if (current.runs.some((records) => records.some(({ id }) => id < 0))) throw new Error(text);
    });
    seen.set(code, (seen.get(code) ?? 0) + 1);
    if (code !== '' && !CODES.includes(code)) t.fail(`run ${run}: ${code}`);
    checkReads(disk, sealed.length);
  }
  checkMemory();
  t.true((seen.get('') ?? 0) > 50 && (seen.get('OMEN_CORRUPT') ?? 0) > 1000);
});

test('noise in the place of a manifest is refused', async (t) => {
  const random = seededRandom(32);
  for (let run = 0; run < 1000; run++) {
    const disk = emptyDisk(1);
    const noise = Uint8Array.from({ length: random() * 600 }, () => random() * 256);
    publishFile(disk, `${directoryOf(0)}/manifest-0000000001.json`, noise);
    const open = () => ManifestFile.open(disk, directoryOf(0), DATABASE_ID, 0);
    t.is(await codeOf(open), 'OMEN_CORRUPT', `run ${run}`);
  }
});

/** Recovers both shards up to where they would serve. */
async function recover(storage: CrashStorage): Promise<void> {
  const control = new Control(createControl());
  const opened = [];
  for (const shard of [0, 1]) {
    const options = {
      storage,
      directory: directoryOf(shard),
      shard,
      schema: SCHEMA,
      databaseId: DATABASE_ID,
      epoch: { lo: 9, hi: 9 },
      control,
      memtableShape: { entriesMax: 128, arenaBytes: 64 * 1024 },
      memoryBytes: 2 ** 30,
      readOnly: false,
      walPieceBytes: 16 * 1024,
      runJob: async (job: Parameters<typeof runJob>[1]) => runJob(storage, job),
      onView: () => {},
      onNotice: () => {},
      clients: () => [],
    };
    opened.push(await Engine.open(options));
  }
  const committed = decideBatches(opened.map(({ found }) => found));
  for (const { engine } of opened) engine.secure();
  for (const { engine } of opened) engine.start(committed);
}

/** Offsets of the frames in a log, by what their headers say. */
function framesOf(log: Uint8Array): { at: number; length: number }[] {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const frames = [];
  for (let at = BLOCK_BYTES; at < log.length; at += BLOCK_BYTES) {
    const length = view.getUint32(at + 4, true);
    if (length > 40 && view.getUint32(at + 8, true) === view.getUint32(32, true)) {
      frames.push({ at, length });
    }
  }
  return frames;
}

/** Changes words of a frame, mostly small ones, and gives it the checksum of what it says then. */
function reseal(log: Uint8Array, { at, length }: { at: number; length: number }, random: Random) {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const WORDS = [0, 1, 2, 3, 4, 5, 8, 20, 24, 28, 100, 2 ** 16, 2 ** 31, 2 ** 32 - 1];
  for (let change = 0; change <= random() * 4; change++) {
    const word = at + 4 * (3 + Math.floor(random() * (length / 4 - 3)));
    const value =
      random() < 0.5
        ? WORDS[Math.floor(random() * WORDS.length)]
        : view.getUint32(word, true) ^ (1 << Math.floor(random() * 8));
    view.setUint32(word, value >>> 0, true);
  }
  const seed = view.getUint32(BLOCK_BYTES - 4, true);
  view.setUint32(at, crc32(log.subarray(at + 4, at + length), seed), true);
}

test('a log of any content under right checksums ends in a shard or in a coded error', async (t) => {
  const database: AtRest = await databaseAtRest('numbers');
  const image = imageOf(database.disk);
  const random = seededRandom(33);
  const logs = [...image].filter(
    ([path, log]) => path.includes('/wal-') && framesOf(log).length > 0,
  );
  t.true(logs.length >= 2);
  const bytes = [...image.values()].reduce((sum, file) => sum + file.length, 0);
  const checkMemory = memoryBound();
  const seen = new Map<string, number>();
  for (let run = 0; run < 1500; run++) {
    const [path, content] = logs[run % logs.length];
    const log = content.slice();
    const frames = framesOf(log);
    for (let frame = 0; frame <= random() * 2; frame++) {
      reseal(log, frames[Math.floor(random() * frames.length)], random);
    }
    const disk = damaged(database, [[path, log]]);
    const code = await codeOf(() => recover(disk));
    checkReads(disk, bytes);
    // Control blocks and memtables of recoveries that are over are megabytes of which V8 counts nothing.
    if (run % 16 === 0) collectGarbage();
    seen.set(code, (seen.get(code) ?? 0) + 1);
    if (code !== '' && !CODES.includes(code)) t.fail(`run ${run}: ${code}`);
  }
  checkMemory();
  t.true((seen.get('') ?? 0) > 100 && (seen.get('OMEN_CORRUPT') ?? 0) > 100, `${[...seen]}`);
});
