/**
 * Durable puts (fdatasync on): many in flight, at 1, 2 and 4 shards, with the processor time each row
 * costs; the same in batches of 100, which reach over all shards; and one at a time against what the same disk takes for one 4 KiB overwrite and fdatasync of a
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
const BATCH_ROWS = 100;
const BATCHES_IN_FLIGHT = 64;

export async function run(options: PutsOptions = {}) {
  const { rows = 2e6, inFlight = 1024, rounds = 3, shards = [1, 2, 4], singles = 2000 } = options;
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-puts-'));
  const passes = shards.flatMap((n) =>
    [1, BATCH_ROWS].map((batchRows) => {
      return { shards: n, batchRows, perSecond: [] as number[], cpuUs: [] as number[] };
    }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const pass of passes) {
      const path = join(directory, `many-${pass.shards}-${pass.batchRows}-${round}`);
      const { perSecond, cpuUs } = await putMany(path, pass, rows, inFlight);
      pass.perSecond.push(perSecond);
      pass.cpuUs.push(cpuUs);
      rmSync(path, { recursive: true });
    }
  }
  const single = await putSingly(directory, singles);
  rmSync(directory, { recursive: true });
  return {
    rows,
    inFlight,
    many: passes.map(({ perSecond, cpuUs, ...pass }) => {
      return {
        ...pass,
        perSecond: median(perSecond),
        perSecondMax: Math.max(...perSecond),
        cpuUs: median(cpuUs),
      };
    }),
    single,
  };
}

interface Pass {
  readonly shards: number;
  readonly batchRows: number;
}

const keyOf = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;

async function putMany(path: string, { shards, batchRows }: Pass, rows: number, inFlight: number) {
  await using db = await open(path, { key: 'int64', columns: { value: 'float64' }, shards });
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const i = next++;
      await db.put(keyOf(i), { value: i });
    }
  };
  const batchWriter = async (): Promise<void> => {
    while (next < rows) {
      const first = next;
      next = Math.min(next + batchRows, rows);
      const operations = Array.from({ length: next - first }, (_, i) => {
        return { type: 'put', key: keyOf(first + i), value: { value: first + i } } as const;
      });
      await db.batch(operations);
    }
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  const writers =
    batchRows === 1
      ? Array.from({ length: inFlight }, writer)
      : Array.from({ length: BATCHES_IN_FLIGHT }, batchWriter);
  await Promise.all(writers);
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  for (let i = 0; i < rows; i += Math.ceil(rows / 1000)) {
    const row = db.get(keyOf(i));
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

function relativeTo(one: number | undefined, cpuUs: number): string {
  return one === undefined ? '–' : `${((cpuUs / one - 1) * 100).toFixed(1)} %`;
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { many, single } = result;
  const oneOf = (rows: number) =>
    many.find(({ shards, batchRows }) => shards === 1 && batchRows === rows)?.cpuUs;
  return [
    `Durable puts, ${result.inFlight} in flight, and ${BATCHES_IN_FLIGHT} batches, ${count(result.rows)} rows`,
    table(
      ['shards', 'rows a batch', 'rows/s (median)', 'best', 'CPU µs a row', 'against 1 shard'],
      many.map(({ shards, batchRows, perSecond, perSecondMax, cpuUs }) => [
        String(shards),
        batchRows === 1 ? '–' : String(batchRows),
        Math.round(perSecond).toLocaleString('en'),
        Math.round(perSecondMax).toLocaleString('en'),
        cpuUs.toFixed(2),
        relativeTo(oneOf(batchRows), cpuUs),
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
