/**
 * Recovery: rows `int64 → float64` that are in the logs alone, since their process was killed before it
 * flushed any, are read back: from `open` to the first row that is served, with one shard and with two.
 * Then what the time of a shard is made of, each step over the same log by itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from '../../src/index.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import { Replay } from '../../src/shard-worker/replay.ts';
import { realStorage } from '../../src/storage/real.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { layoutMemtable, type MemtableShape } from '../../src/view/memtable.ts';
import { openLocalLog } from '../../src/wal/log.ts';
import { count, median, megabytes, table } from './report.ts';

export interface RecoveryOptions {
  readonly rows?: number;
  readonly rounds?: number;
  readonly shards?: readonly number[];
}

const SCHEMA = { key: 'int64', columns: { value: 'float64' } } as const;
const IN_FLIGHT = 4096;
const READ_BYTES = 2 ** 20;
/** Bytes of an arena that one of the rows takes: header, flags of nulls and value. */
const ENTRY_BYTES = 48;

/** A memtable that holds all rows, so that none is flushed. */
function shapeFor(rows: number): MemtableShape {
  const entriesMax = Math.max(64, rows + 64);
  return { entriesMax, arenaBytes: Math.max(2 ** 16, ENTRY_BYTES * entriesMax + 4096) };
}

const keyOf = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;

export async function run(options: RecoveryOptions = {}) {
  const { rows = 1e7, rounds = 3, shards = [1, 2] } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-recovery-'));
  try {
    for (const n of shards) await writeAndDie(pathOf(directory, n), rows, n);
    const seconds = new Map(shards.map((n) => [n, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      for (const n of shards) {
        seconds.get(n)?.push(await recover(pathOf(directory, n), rows, round === 0));
      }
    }
    return {
      rows,
      recoveries: shards.map((n) => {
        const all = seconds.get(n) ?? [];
        const logBytes = bytesOfLogs(pathOf(directory, n), n);
        return { shards: n, seconds: median(all), secondsMin: Math.min(...all), logBytes };
      }),
      phases: phasesOf(pathOf(directory, shards[0]), rows),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function pathOf(directory: string, shards: number): string {
  return join(directory, `shards-${shards}`);
}

/** Has a process write all rows, and kills it. */
async function writeAndDie(path: string, rows: number, shards: number): Promise<void> {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [self, path, String(rows), String(shards)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const written = once(child.stdout, 'data');
  const ended = once(child, 'close');
  await Promise.race([written, ended]);
  child.kill('SIGKILL');
  const [, signal] = await ended;
  if (signal !== 'SIGKILL') throw new Error('The writing process ended by itself.');
}

async function write(path: string, rows: number, shards: number): Promise<void> {
  const db = await open(path, { ...SCHEMA, shards, memtable: shapeFor(rows) });
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const i = next++;
      await db.put(keyOf(i), { value: i });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
  if (db.stats().total.segments > 0) throw new Error('Rows were flushed.');
  process.stdout.write('written');
  setInterval(() => {}, 1000);
}

/** Seconds from `open` to the first row. */
async function recover(path: string, rows: number, isChecked: boolean): Promise<number> {
  const start = performance.now();
  await using db = await open(path, { ...SCHEMA, memtable: shapeFor(rows) });
  const first = db.get(keyOf(0));
  const seconds = (performance.now() - start) / 1000;
  if (first?.value !== 0) throw new Error(`The first row is ${JSON.stringify(first)}.`);
  if (db.stats().total.rows !== rows) throw new Error(`There are ${db.stats().total.rows} rows.`);
  for (let i = 0; isChecked && i < rows; i++) {
    if (db.get(keyOf(i))?.value !== i) throw new Error(`Row ${i} is not there.`);
  }
  return seconds;
}

function logsOf(shard: string): string[] {
  return readdirSync(shard)
    .filter((name) => name.startsWith('wal-'))
    .map((name) => join(shard, name));
}

function bytesOfLogs(path: string, shards: number): number {
  const files = Array.from({ length: shards }, (_, i) =>
    logsOf(join(path, `shard-000${i}`)),
  ).flat();
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

/** Seconds of processor time that the steps of recovering the first shard take in this thread. */
function phasesOf(path: string, rows: number) {
  const shard = join(path, 'shard-0000');
  const { databaseId } = JSON.parse(readFileSync(join(path, 'omendb.json'), 'utf8'));
  const identity = { databaseId: Uint8Array.from(Buffer.from(databaseId, 'hex')), shard: 0 };
  const seconds = (work: () => void): number => {
    const start = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(start);
    return (user + system) / 1e6;
  };
  const read = seconds(() => {
    const chunk = new Uint8Array(READ_BYTES);
    for (const name of logsOf(shard)) {
      const file = realStorage.open(name, 'read');
      for (let at = 0, bytes = 1; bytes > 0; at += bytes) bytes = file.read(chunk, at);
      file.close();
    }
  });
  const checked = seconds(() => openLocalLog(realStorage, shard, identity).read(1, () => {}));
  const shape = shapeFor(rows);
  const memory = new SharedArrayBuffer(layoutMemtable(shape).bytes);
  const memtable = new MemtableWriter(
    { id: 1, memory, shape, storesKeys: parseSchema(SCHEMA).key === 'utf8' },
    CommitTable.empty(),
  );
  const replay = new Replay(0, 0, { active: () => memtable, seal() {} });
  const replayed = seconds(() => openLocalLog(realStorage, shard, identity).read(1, replay.visit));
  const linked = seconds(() => memtable.publish());
  const sorted = seconds(() => memtable.sealChunks());
  return { read, check: checked - read, replay: replayed - checked, link: linked, sort: sorted };
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, recoveries, phases } = result;
  const one = recoveries.find(({ shards }) => shards === 1)?.seconds;
  return [
    `Recovery of ${count(rows)} rows int64 → float64 from logs, after SIGKILL: from open to the first row`,
    table(
      ['shards', 'seconds (median)', 'best', 'rows/s', 'MB/s of log', 'against 1 shard'],
      recoveries.map(({ shards, seconds, secondsMin, logBytes }) => [
        String(shards),
        seconds.toFixed(2),
        secondsMin.toFixed(2),
        Math.round(rows / seconds).toLocaleString('en'),
        megabytes(logBytes / seconds),
        one === undefined ? '–' : (seconds / one).toFixed(2),
      ]),
    ),
    '',
    'What one shard with all of them does, step by step, in processor time',
    table(
      ['', 'seconds', 'ns a row'],
      Object.entries(phases).map(([name, seconds]) => [
        name,
        seconds.toFixed(2),
        ((seconds / rows) * 1e9).toFixed(0),
      ]),
    ),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, rows, shards] = process.argv.slice(2);
  await write(path, Number(rows), Number(shards));
}
