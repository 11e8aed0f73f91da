/**
 * One bulk load in a process of its own: how long it took, and the most memory that the process ever had. Run as
 * a program, it does what its argument says, and tells as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LoadReport, open } from '../../src/index.ts';
import { SCHEMA, STEP } from './load-files.ts';

export interface OneLoad {
  readonly path: string;
  readonly source: string;
  readonly rows: number;
  readonly shards: number;
  /** Of the load, in bytes; default: its own. */
  readonly memory?: number;
}

export interface Loaded {
  readonly seconds: number;
  readonly report: LoadReport;
  /** Bytes of the process at most, before there is a row, and those that rows and their indexes take in the end. */
  readonly peakBytes: number;
  readonly emptyBytes: number;
  readonly residentBytes: number;
  /** Bytes of files: of the database, and most of spilled runs that was ever seen. */
  readonly fileBytes: number;
  readonly spilledBytes: number;
}

/** Runs it in another process, on one processor only if that is wished for and can be had. */
export async function inProcess(load: OneLoad, isPinned = false): Promise<Loaded> {
  const own = [fileURLToPath(import.meta.url), JSON.stringify(load)];
  const child = isPinned
    ? spawn('taskset', ['-c', '0', process.execPath, ...own], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
    : spawn(process.execPath, own, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`A load ended with ${code}.`);
  return JSON.parse(text) as Loaded;
}

/** Of this process: Linux tells what it had itself, elsewhere it may be more than that. */
function memoryOf(field: 'VmHWM' | 'VmRSS'): number {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]);
  } catch {
    return field === 'VmRSS' ? process.memoryUsage.rss() : 1024 * process.resourceUsage().maxRSS;
  }
}

function bytesOfFiles(path: string, isWanted: (name: string) => boolean): number {
  const names = readdirSync(path, { recursive: true }) as string[];
  const sizeOf = (name: string) => {
    const stats = statSync(join(path, name), { throwIfNoEntry: false });
    return stats?.isFile() ? stats.size : 0;
  };
  return names.filter(isWanted).reduce((sum, name) => sum + sizeOf(name), 0);
}

async function load({ path, source, rows, shards, memory }: OneLoad): Promise<Loaded> {
  await using db = await open(path, { ...SCHEMA, shards });
  const emptyBytes = memoryOf('VmRSS');
  let spilledBytes = 0;
  const onProgress = () => {
    const bytes = bytesOfFiles(path, (name) => name.startsWith('load-'));
    spilledBytes = Math.max(spilledBytes, bytes);
  };
  const start = performance.now();
  const report = await db.bulkLoad(source, { onProgress, ...(memory !== undefined && { memory }) });
  const seconds = (performance.now() - start) / 1000;
  const peakBytes = memoryOf('VmHWM');
  if (db.count() !== rows) throw new Error(`${db.count()} rows were loaded from ${source}.`);
  for (let i = 0; i < rows; i += Math.ceil(rows / 1000)) {
    const row = db.get(STEP * i);
    if (row?.value !== (STEP * i) / 2)
      throw new Error(`Row ${STEP * i} is ${JSON.stringify(row)}.`);
  }
  const { segmentBytes, indexBytes } = db.stats().total;
  return {
    ...{ seconds, report, peakBytes, emptyBytes, spilledBytes },
    residentBytes: segmentBytes + indexBytes,
    fileBytes: bytesOfFiles(path, (name) => name.includes('segment-')),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2]) as OneLoad)));
}
