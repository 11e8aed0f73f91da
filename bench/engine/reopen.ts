/**
 * Reopening: from `open` to the first row, in a process of its own each time, after a clean close; and to the
 * count of a range, which needs all of the segments' pages. Beside it LMDB, which maps its file and reads
 * what it is asked for.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from '../../src/index.ts';
import { count, median, table } from './report.ts';

export interface ReopenOptions {
  readonly rows?: number;
  readonly rounds?: number;
  readonly shards?: number;
  readonly peers?: boolean;
}

const STEP = 3;
const PUTS_MAX = 500_000;

const CASES = ['get', 'count', 'lmdb'] as const;
type Case = (typeof CASES)[number];

interface Measured {
  readonly openMs: number;
  readonly answerMs: number;
}

export async function run(options: ReopenOptions = {}) {
  const { rows = 1e7, rounds = 7, shards = 2, peers = true } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-reopen-'));
  const cases = CASES.filter((name) => peers || name !== 'lmdb');
  try {
    await fill(join(directory, 'omendb'), rows, shards);
    if (peers) await fillLmdb(join(directory, 'lmdb'), rows);
    const measured = new Map<Case, Measured[]>(cases.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of cases) measured.get(name)?.push(await inProcess(name, directory, rows));
    }
    const middle = (name: Case, of: (one: Measured) => number) =>
      median((measured.get(name) ?? []).map(of));
    return {
      ...{ rows, rounds, shards },
      reopenings: cases.map((name) => ({
        name,
        openMs: middle(name, ({ openMs }) => openMs),
        answerMs: middle(name, ({ answerMs }) => answerMs),
        totalMs: middle(name, ({ openMs, answerMs }) => openMs + answerMs),
      })),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function fill(path: string, rows: number, shards: number): Promise<void> {
  await using db = await open(path, { key: 'int64', columns: { value: 'float64' }, shards });
  await db.bulkLoad(
    (function* () {
      for (let i = 0; i < rows; i++) yield [STEP * i, { value: i }] as const;
    })(),
  );
}

const keyBytes = Buffer.alloc(8);

function lmdbKey(i: number): Buffer {
  keyBytes.writeBigUInt64BE(BigInt(STEP * i));
  return keyBytes;
}

async function openLmdb(path: string) {
  const lmdb = await import('lmdb');
  return lmdb.open({ path, keyEncoding: 'binary', encoding: 'binary', noSync: false });
}

async function fillLmdb(path: string, rows: number): Promise<void> {
  const db = await openLmdb(path);
  const value = Buffer.alloc(8);
  for (let from = 0; from < rows; from += PUTS_MAX) {
    await db.transaction(() => {
      for (let i = from; i < Math.min(rows, from + PUTS_MAX); i++) {
        value.writeDoubleLE(i);
        db.put(Buffer.from(lmdbKey(i)), Buffer.from(value), { append: true } as never);
      }
    });
  }
  await db.close();
}

async function inProcess(name: Case, directory: string, rows: number): Promise<Measured> {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [self, name, directory, String(rows)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`The measuring process ended with code ${code}.`);
  return JSON.parse(Buffer.concat(chunks).toString()) as Measured;
}

async function measure(name: Case, directory: string, rows: number): Promise<Measured> {
  // A key that nobody has asked for before, for LMDB as for OmenDB.
  const i = Math.floor(Math.random() * rows);
  const start = performance.now();
  if (name === 'lmdb') {
    const db = await openLmdb(join(directory, 'lmdb'));
    const opened = performance.now();
    const found = db.get(lmdbKey(i)) as Buffer | undefined;
    const end = performance.now();
    if (found?.readDoubleLE() !== i) throw new Error(`LMDB has not the row ${i}.`);
    await db.close();
    return { openMs: opened - start, answerMs: end - opened };
  }
  await using db = await open(join(directory, 'omendb'), {
    key: 'int64',
    columns: { value: 'float64' },
  });
  const opened = performance.now();
  if (name === 'get') {
    const found = db.get(STEP * i);
    const end = performance.now();
    if (found?.value !== i) throw new Error(`Row ${i} is not there.`);
    return { openMs: opened - start, answerMs: end - opened };
  }
  const counted = db.count({ gte: STEP * i });
  const end = performance.now();
  if (counted !== rows - i) throw new Error(`There are ${counted} rows, not ${rows - i}.`);
  return { openMs: opened - start, answerMs: end - opened };
}

const TITLES: Readonly<Record<Case, string>> = {
  get: 'get',
  count: 'count of a range',
  lmdb: 'get of LMDB',
};

export function show({ rows, rounds, shards, reopenings }: Awaited<ReturnType<typeof run>>) {
  const lines = reopenings.map(({ name, ...ms }) => {
    return [TITLES[name], ...[ms.openMs, ms.answerMs, ms.totalMs].map((each) => each.toFixed(1))];
  });
  return [
    `${count(rows)} rows int64 → float64 in ${shards} shards, closed and opened again in a new process;`,
    `ms, medians of ${rounds} rounds`,
    '',
    table(['first asked', 'open', 'answer', 'together'], lines),
  ].join('\n');
}

const [name, directory, rows] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await measure(name as Case, directory, Number(rows))));
}
