/**
 * Runs the benchmarks by name: `npm run bench -- [name …] [--rows N] [--tiny] [--json FILE]`; without a name,
 * the one that compares engines. Tables go to stdout, what is going on to stderr. Every benchmark checks the
 * answers it times.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { withJsonValue } from './arguments.ts';

interface Benchmark {
  readonly about: string;
  /** What `--help` says of it, where that is more than its name and options common to all. */
  readonly help?: () => Promise<string>;
  /** Runs at the size asked for, or at its own; `tiny` only shows that it still works. */
  run(options: Options): Promise<Ran>;
}

interface Ran {
  readonly result: unknown;
  readonly text: string;
  /** 0 where nothing is said. */
  readonly exitCode?: number;
}

interface Options {
  readonly rows: number | undefined;
  readonly tiny: boolean;
  readonly sets: readonly string[] | undefined;
  readonly report: boolean;
  readonly brief: boolean;
  readonly alone: boolean;
  readonly rounds: number | undefined;
  readonly engines: readonly string[] | undefined;
  readonly keys: readonly string[] | undefined;
  readonly only: readonly string[] | undefined;
  readonly against: string | undefined;
}

const COMPARE = 'compare';

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  [COMPARE]: {
    about: 'OmenDB beside six other engines, all they do, and YCSB (1 M rows)',
    help: async () => (await import('./compare.ts')).HELP,
    run: async (options) => (await import('./compare/command.ts')).command(options),
  },
  rmi: {
    about: 'the learned index from all sides, on every kind of keys (1 M rows)',
    help: async () => (await import('./rmi.ts')).HELP,
    async run({ rows, tiny, sets, report, brief, alone }) {
      const { run, show } = await import('./rmi.ts');
      const result = await run({
        rows,
        sets,
        report,
        brief,
        peers: !alone,
        ...(tiny && { rows: 4000, probes: 1000, gets: 1000, rounds: 1 }),
        onProgress: (set, what) => process.stderr.write(`rmi: ${set}: ${what}\n`),
        onSet: (one) => process.stderr.write(`\n${show(one)}\n\n`),
      });
      return { result, text: show(result) };
    },
  },
  get: {
    about: 'random hits in the engine against LMDB, sorted-btree and a Map (10 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/get.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1, probes: 1000 } : { rows });
      return { result, text: show(result) };
    },
  },
  puts: {
    about: 'durable puts, many in flight, in batches and one at a time (2 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/puts.ts');
      const result = await run(tiny ? { rows: 3000, rounds: 1, singles: 50 } : { rows });
      return { result, text: show(result) };
    },
  },
  load: {
    about: 'bulk loads from Arrow and CSV, against put and the append load of LMDB (10 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/load.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  reopen: {
    about: 'from open to the first row after a clean close, beside LMDB (10 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/reopen.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1, peers: false } : { rows });
      return { result, text: show(result) };
    },
  },
  'load-budget': {
    about: 'bulk loads within 512 MB, and CSV on one processor and all, in processes (50 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/load-budget.ts');
      const result = await run(tiny ? { rows: 50_000, rounds: 1, memory: 2 ** 20 } : { rows });
      return { result, text: show(result) };
    },
  },
  'load-scale': {
    about: 'what a billion rows take to load, calculated, and checked (200 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/load-scale.ts');
      const onProgress = (what: string) => process.stderr.write(`load-scale: ${what}\n`);
      const sizes = tiny ? { rows: 160_000, memory: 2 ** 20 } : { rows };
      const result = await run({ ...sizes, onProgress });
      return { result, text: show(result) };
    },
  },
  export: {
    about: 'every row to every format, against a loop that writes the same text (2 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/export.ts');
      const result = await run(tiny ? { rows: 2000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  durability: {
    about: 'what safety costs: puts at each durability, and bare system calls (500 k rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/durability.ts');
      const result = await run(tiny ? { rows: 3000, rounds: 1, singles: 20 } : { rows });
      return { result, text: show(result) };
    },
  },
  scaling: {
    about: "a shard's own work in one shard and in two (10 M rows)",
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/scaling.ts');
      const result = await run(tiny ? { rows: 20_000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  watches: {
    about: 'changes: how soon, how fast, and what a watch costs who writes (1 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/watches.ts');
      const result = await run(tiny ? { rows: 3000, rounds: 1, singles: 20 } : { rows });
      return { result, text: show(result) };
    },
  },
  recovery: {
    about: 'rows read back from the logs of a killed process (10 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/recovery.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  alternate: {
    about: 'reads after each write, on a full memtable; creating and opening',
    async run({ tiny }) {
      const { run, show } = await import('./engine/alternate.ts');
      const result = await run(tiny ? { entries: 8192, turns: 100, opens: 1 } : {});
      return { result, text: show(result) };
    },
  },
  scans: {
    about: 'every row as Arrow and as entries, against LMDB (10 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/scans.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  level: {
    about: 'the Level face against classic-level (1 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/level.ts');
      const result = await run(tiny ? { rows: 2000, rounds: 1, calls: 2 } : { rows });
      return { result, text: show(result) };
    },
  },
  aggregates: {
    about: 'figures over columns, against DuckDB (50 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/aggregates.ts');
      const result = await run(tiny ? { rows: 5000, rounds: 1 } : { rows });
      return { result, text: show(result) };
    },
  },
  ring: {
    about: 'the ring against ringbuf.js and messages between threads',
    async run({ tiny }) {
      const { run } = await import('./ring.ts');
      const lines: string[] = [];
      const log = (line: string) => lines.push(line);
      const sizes = tiny ? { frames: 20_000, roundTrips: 200, messages: 4, rounds: 1 } : {};
      return { result: await run({ ...sizes, log }), text: lines.join('\n') };
    },
  },
  wal: {
    about: 'what a durable commit costs, against the bare system calls',
    async run({ tiny }) {
      const { run, show } = await import('./wal.ts');
      const result = await run(tiny ? { bytesMax: 2 ** 20, commitsMax: 10 } : {});
      return { result, text: show(result) };
    },
  },
  metrics: {
    about: 'what counting and timing costs gets and puts (1 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/metrics.ts');
      const result = await run(
        tiny ? { rows: 5000, gets: 1000, puts: 1000, rounds: 2, processes: 1 } : { rows },
      );
      return { result, text: show(result) };
    },
  },
  memory: {
    about: 'what rows cost in memory (50 M rows)',
    async run({ rows, tiny }) {
      const { run, show } = await import('./engine/memory.ts');
      const result = await run({ rows: tiny ? 20_000 : rows });
      return { result, text: show(result) };
    },
  },
};

function listed(text: string | undefined): string[] | undefined {
  return text?.split(',').filter((one) => one !== '');
}

function numbered(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: withJsonValue(process.argv.slice(2), Object.keys(BENCHMARKS)),
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      rounds: { type: 'string' },
      tiny: { type: 'boolean', default: false },
      json: { type: 'string' },
      sets: { type: 'string' },
      engines: { type: 'string' },
      keys: { type: 'string' },
      only: { type: 'string' },
      against: { type: 'string' },
      report: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
      alone: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.find((name) => !(name in BENCHMARKS));
  const { help } = BENCHMARKS[positionals[0]] ?? {};
  if (values.help && help !== undefined) {
    process.stderr.write(`${await help()}\n`);
    return 0;
  }
  if (values.help || unknown !== undefined) {
    const list = Object.entries(BENCHMARKS).map(
      ([name, { about }]) => `  ${name.padEnd(12)} ${about}`,
    );
    process.stderr.write(
      `${unknown === undefined ? '' : `There is no benchmark "${unknown}".\n`}` +
        `Usage: npm run bench -- [name …] [--rows N] [--tiny] [--json FILE]\n` +
        `       npm run bench -- ${COMPARE} --help\n\n${list.join('\n')}\n`,
    );
    return unknown === undefined ? 0 : 2;
  }
  const { tiny, report, brief, alone, against, json } = values;
  const options: Options = {
    ...{ tiny, report, brief, alone, against },
    ...{ rows: numbered(values.rows), rounds: numbered(values.rounds) },
    ...{ sets: listed(values.sets), engines: listed(values.engines) },
    ...{ keys: listed(values.keys), only: listed(values.only) },
  };
  const names = positionals.length > 0 ? positionals : [COMPARE];
  const machine = `Node ${process.version}, ${availableParallelism()} × ${cpus()[0].model}`;
  const results: Record<string, unknown> = { machine };
  if (json !== '-') process.stdout.write(`${machine}\n`);
  let exitCode = 0;
  for (const name of names) {
    process.stderr.write(`${name}: ${BENCHMARKS[name].about} …\n`);
    const ran = await BENCHMARKS[name].run(options);
    results[name] = ran.result;
    exitCode = Math.max(exitCode, ran.exitCode ?? 0);
    if (json !== '-') process.stdout.write(`\n${ran.text}\n`);
    // Why it failed is told in any case.
    else if (ran.exitCode !== undefined && ran.exitCode > 0) process.stderr.write(`${ran.text}\n`);
  }
  const text = `${JSON.stringify(results, null, 2)}\n`;
  if (json === '-') process.stdout.write(text);
  else if (json !== undefined) writeFileSync(json, text);
  return exitCode;
}

process.exitCode = await main();
