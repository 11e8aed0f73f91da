/**
 * Durable puts (fdatasync on): many in flight, at 1, 2 and 4 shards, with the processor time each row
 * costs; and one at a time against what the same disk takes for one 4 KiB overwrite and fdatasync of a
 * prewritten file, both in turns of one run.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from '../../src/index.ts';
import { count, median, quantile, table } from './report.ts';

export interface PutsOptions {
  /** Rows written with many in flight, each round and number of shards. */
  readonly rows?: number;
  readonly inFlight?: number;
  readonly rounds?: number;
  readonly shards?: readonly number[];
  /** Puts, and bare writes, one at a time. */
  readonly singles?: number;
  readonly directory?: string;
}

const BLOCK = 4096;
const TURN = 50;

export async function run(options: PutsOptions = {}) {
  const { rows = 2e6, inFlight = 1024, rounds = 3, shards = [1, 2, 4], singles = 2000 } = options;
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-puts-'));
  const many = new Map(
    shards.map((n) => [n, { perSecond: [] as number[], cpuUs: [] as number[] }]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const n of shards) {
      const path = join(directory, `many-${n}-${round}`);
      const { perSecond, cpuUs } = await putMany(path, n, rows, inFlight);
      many.get(n)?.perSecond.push(perSecond);
      many.get(n)?.cpuUs.push(cpuUs);
      rmSync(path, { recursive: true });
    }
  }
  const single = await putSingly(directory, singles);
  rmSync(directory, { recursive: true });
  return {
    rows,
    inFlight,
    many: [...many].map(([n, { perSecond, cpuUs }]) => {
      return {
        shards: n,
        perSecond: median(perSecond),
        perSecondMax: Math.max(...perSecond),
        cpuUs: median(cpuUs),
      };
    }),
    single,
  };
}

async function putMany(path: string, shards: number, rows: number, inFlight: number) {
  await using db = await open(path, { key: 'int64', columns: { value: 'float64' }, shards });
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const i = next++;
      await db.put(Math.imul(i, 0x9e3779b1) >>> 0, { value: i });
    }
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, writer));
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  for (let i = 0; i < rows; i += Math.ceil(rows / 1000)) {
    const row = db.get(Math.imul(i, 0x9e3779b1) >>> 0);
    if (row?.value !== i) throw new Error(`Row ${i} is ${JSON.stringify(row)}.`);
  }
  return { perSecond: (rows / elapsed) * 1000, cpuUs: (user + system) / rows };
}

async function putSingly(directory: string, singles: number) {
  await using db = await open(join(directory, 'single'), {
    key: 'int64',
    columns: { value: 'float64' },
    shards: 2,
  });
  const file = join(directory, 'bare');
  const descriptor = openSync(file, 'w');
  const block = Buffer.alloc(BLOCK, 1);
  for (let i = 0; i < singles; i++) writeSync(descriptor, block, 0, BLOCK, i * BLOCK);
  fsyncSync(descriptor);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let done = 0; done < singles; done += TURN) {
    for (let i = 0; i < TURN; i++) {
      const start = performance.now();
      writeSync(descriptor, block, 0, BLOCK, (done + i) * BLOCK);
      fdatasyncSync(descriptor);
      bare.push((performance.now() - start) * 1000);
    }
    for (let i = 0; i < TURN; i++) {
      const start = performance.now();
      await db.put(done + i, { value: i });
      ours.push((performance.now() - start) * 1000);
    }
  }
  closeSync(descriptor);
  return {
    puts: ours.length,
    putP50Us: median(ours),
    putP99Us: quantile(ours, 0.99),
    bareP50Us: median(bare),
    bareP99Us: quantile(bare, 0.99),
    ratioP50: median(ours) / median(bare),
  };
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { many, single } = result;
  const one = many.find(({ shards }) => shards === 1)?.cpuUs;
  return [
    `Durable puts, ${result.inFlight} in flight, ${count(result.rows)} rows`,
    table(
      ['shards', 'puts/s (median)', 'best', 'CPU µs a row', 'against 1 shard'],
      many.map(({ shards, perSecond, perSecondMax, cpuUs }) => [
        String(shards),
        Math.round(perSecond).toLocaleString('en'),
        Math.round(perSecondMax).toLocaleString('en'),
        cpuUs.toFixed(2),
        one === undefined ? '–' : `${((cpuUs / one - 1) * 100).toFixed(1)} %`,
      ]),
    ),
    '',
    `Durable puts, one at a time, against a 4 KiB overwrite + fdatasync of a prewritten file (${single.puts} each)`,
    table(
      ['', 'p50 µs', 'p99 µs'],
      [
        ['OmenDB put', single.putP50Us.toFixed(0), single.putP99Us.toFixed(0)],
        ['bare write + fdatasync', single.bareP50Us.toFixed(0), single.bareP99Us.toFixed(0)],
        ['ratio', single.ratioP50.toFixed(2), (single.putP99Us / single.bareP99Us).toFixed(2)],
      ],
    ),
  ].join('\n');
}
