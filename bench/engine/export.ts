/**
 * Exports of every row to every format, against a loop that makes the same text of the same rows: of two
 * numbers, and of a time, numbers and a text. What both write is compared, byte by byte.
 */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, open } from '../../src/index.ts';
import { count, median, random, table } from './report.ts';

export interface ExportOptions {
  readonly rows?: number;
  readonly rounds?: number;
  readonly directory?: string;
}

const PIECE_BYTES = 2 ** 20;
const FORMATS = ['csv', 'ndjson', 'csv.gz', 'csv.zst', 'arrow', 'arrows', 'parquet'] as const;

const NUMBERS = { key: 'int64', columns: { value: 'float64' } } as const;
const MIXED = {
  key: 'timestamp',
  columns: { sensor: 'int32', celsius: 'float64', note: 'utf8?', sum: 'int64' },
} as const;

function* numbers(rows: number) {
  for (let i = 0; i < rows; i++) yield [3 * i, { value: (3 * i) / 2 }] as const;
}

function* mixed(rows: number) {
  const draw = random(7);
  for (let i = 0; i < rows; i++) {
    const celsius = draw() * 40;
    const note = i % 4 === 0 ? `said "${i}", and more` : i % 4 === 1 ? null : `note ${i}`;
    yield [
      Date.UTC(2026, 0, 1) + 1000 * i,
      { sensor: i % 100, celsius, note, sum: i * 1_000_003 },
    ] as const;
  }
}

/** How a loop makes a record of a row. */
type Line = (key: number, row: Readonly<Record<string, unknown>>) => string;

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const isoOf = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

const LOOPS: Readonly<
  Record<string, { readonly header: string; readonly csv: Line; readonly ndjson: Line }>
> = {
  numbers: {
    header: 'key,value\n',
    csv: (key, { value }) => `${key},${value}\n`,
    ndjson: (key, row) => `${JSON.stringify({ key, ...row })}\n`,
  },
  mixed: {
    header: 'key,sensor,celsius,note,sum\n',
    csv: (key, { sensor, celsius, note, sum }) =>
      `${isoOf(key)},${sensor},${celsius},${note === null ? '' : quoted(note as string)},${sum}\n`,
    ndjson: (key, row) => `${JSON.stringify({ key: isoOf(key), ...row })}\n`,
  },
};

/** What one writes without an export: a text a row, written when there is a piece of it. */
function loop(db: Database, path: string, header: string, line: Line): void {
  const file = openSync(path, 'w');
  let piece = header;
  for (const [key, row] of db.entries()) {
    piece += line(key as number, row as Readonly<Record<string, unknown>>);
    if (piece.length < PIECE_BYTES) continue;
    writeSync(file, piece);
    piece = '';
  }
  writeSync(file, piece);
  fsyncSync(file);
  closeSync(file);
}

async function measure(
  name: string,
  db: Database,
  rows: number,
  rounds: number,
  directory: string,
) {
  const { header, csv, ndjson } = LOOPS[name];
  const seconds = new Map<string, number[]>();
  const bytes = new Map<string, number>();
  const time = async (what: string, path: string, run: () => unknown): Promise<void> => {
    const start = performance.now();
    await run();
    const taken = (performance.now() - start) / 1000;
    seconds.set(what, [...(seconds.get(what) ?? []), taken]);
    bytes.set(what, readFileSync(path).length);
  };
  for (let round = 0; round < rounds; round++) {
    for (const format of FORMATS) {
      const path = join(directory, `rows.${format}`);
      await time(format, path, () => db.export(path, { overwrite: true }));
    }
    for (const [format, line] of [
      ['csv', csv],
      ['ndjson', ndjson],
    ] as const) {
      const path = join(directory, `loop.${format}`);
      await time(`${format}, a loop`, path, () =>
        loop(db, path, format === 'csv' ? header : '', line),
      );
      if (!readFileSync(path).equals(readFileSync(join(directory, `rows.${format}`)))) {
        throw new Error(`The ${format} of ${name} is not what a loop writes.`);
      }
    }
  }
  return [...seconds].map(([what, taken]) => ({
    ...{ what, seconds: median(taken), rowsPerSecond: rows / median(taken) },
    bytesPerRow: (bytes.get(what) ?? 0) / rows,
  }));
}

export async function run({ rows = 2e6, rounds = 3, ...options }: ExportOptions = {}) {
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-export-'));
  const results: Record<string, Awaited<ReturnType<typeof measure>>> = {};
  for (const [name, schema, source] of [
    ['numbers', NUMBERS, numbers],
    ['mixed', MIXED, mixed],
  ] as const) {
    await using db = await open(join(directory, name), { ...schema, shards: 2 });
    await (db as Database).bulkLoad(source(rows));
    await db.compact();
    results[name] = await measure(name, db as Database, rows, rounds, directory);
  }
  rmSync(directory, { recursive: true });
  return { rows, rounds, results };
}

export function show({ rows, results }: Awaited<ReturnType<typeof run>>): string {
  return Object.entries(results)
    .map(([name, lines]) => {
      const loopOf = (what: string) => lines.find((line) => line.what === `${what}, a loop`);
      return [
        `Exports of ${count(rows)} rows, ${name === 'numbers' ? 'int64 → float64' : 'timestamp → int32, float64, utf8?, int64'}`,
        table(
          ['', 's', 'rows/s', 'bytes a row', 'times a loop'],
          lines.map(({ what, seconds, rowsPerSecond, bytesPerRow }) => [
            what,
            seconds.toFixed(2),
            Math.round(rowsPerSecond).toLocaleString('en'),
            bytesPerRow.toFixed(1),
            loopOf(what) === undefined
              ? '–'
              : (rowsPerSecond / (loopOf(what)?.rowsPerSecond ?? 1)).toFixed(2),
          ]),
        ),
      ].join('\n');
    })
    .join('\n\n');
}
