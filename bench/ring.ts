/**
 * The ring against ringbuf.js and against messages: frames a second one way, the time there and back,
 * and messages of a megabyte. Variants of a table take turns in one run, so that what else the machine
 * does hits them alike; medians. A first round warms up and is not counted.
 *
 *   node bench/ring.ts
 */
import { pairs as large, MESSAGE_BYTES } from './ring/large.ts';
import { pairs as latency } from './ring/latency.ts';
import { median, quantile, type Suite, startFarSide } from './ring/pair.ts';
import { isPeerInstalled, pairs as throughput } from './ring/throughput.ts';

export interface RingBenchOptions {
  /** Frames of 16 bytes per variant and round; a twentieth where each is a message of its own. */
  readonly frames?: number;
  /** Per variant and round. */
  readonly roundTrips?: number;
  /** Messages of a megabyte, per variant and round. */
  readonly messages?: number;
  readonly rounds?: number;
  readonly capacityBytes?: number;
  readonly log?: (line: string) => void;
}

export interface RingBenchResult {
  readonly table: 'throughput' | 'latency' | 'large';
  readonly variant: string;
  /** Frames a second; microseconds; bytes a second. */
  readonly median: number;
  /** Of the latencies alone. */
  readonly p99?: number;
}

const SINGLY = 20;

export async function run(options: RingBenchOptions = {}): Promise<RingBenchResult[]> {
  const { frames = 10_000_000, roundTrips = 5_000, messages = 500, rounds = 5 } = options;
  const { capacityBytes = 256 * 1024, log = console.log } = options;
  const hasPeer = await isPeerInstalled();
  const results: RingBenchResult[] = [];
  const far = startFarSide(capacityBytes);

  /** Calls `keep` with what every counted run measured, variant by variant and round by round. */
  const measure = async (
    suite: Suite,
    path: string,
    count: (name: string) => number,
    keep: (name: string, perSecond: number, samples: Float64Array | undefined) => void,
  ) => {
    const url = new URL(path, import.meta.url).href;
    for (let round = 0; round <= rounds; round++) {
      for (const name of Object.keys(suite)) {
        if (name.startsWith('peer') && !hasPeer) continue;
        const { seconds, samples } = await far.measure(suite, url, name, count(name));
        if (round > 0) keep(name, count(name) / seconds, samples);
      }
    }
  };
  const collect = () => {
    const values = new Map<string, number[]>();
    const add = (name: string, value: number) =>
      values.set(name, [...(values.get(name) ?? []), value]);
    return { values, add };
  };

  try {
    const rates = collect();
    const few = new Set(['posting', 'ringSingly', 'peerSingly']);
    await measure(
      throughput,
      './ring/throughput.ts',
      (name) => (few.has(name) ? Math.ceil(frames / SINGLY) : frames),
      (name, perSecond) => rates.add(name, perSecond),
    );
    log(`one way, frames of 16 bytes (ring of ${capacityBytes / 1024} KiB)`);
    if (!hasPeer) log('  ringbuf.js is not installed: run `npm ci` in bench/ to measure it');
    for (const [name, values] of rates.values) {
      const value = median(values);
      results.push({ table: 'throughput', variant: name, median: value });
      log(`  ${throughput[name].label.padEnd(56)} ${(value / 1e6).toFixed(2).padStart(8)} M/s`);
    }

    const middles = collect();
    const tails = collect();
    await measure(
      latency,
      './ring/latency.ts',
      () => roundTrips,
      (name, _, samples = new Float64Array()) => {
        middles.add(name, quantile(samples, 0.5));
        tails.add(name, quantile(samples, 0.99));
      },
    );
    log('there and back, one frame of 16 bytes at a time');
    for (const [name, values] of middles.values) {
      const [p50, p99] = [median(values), median(tails.values.get(name) ?? [])];
      results.push({ table: 'latency', variant: name, median: p50, p99 });
      log(
        `  ${latency[name].label.padEnd(56)} ${p50.toFixed(1).padStart(8)} µs` +
          `   p99 ${p99.toFixed(1).padStart(8)} µs`,
      );
    }

    const bytes = collect();
    await measure(
      large,
      './ring/large.ts',
      () => messages,
      (name, perSecond) => bytes.add(name, perSecond * MESSAGE_BYTES),
    );
    log('one way, messages of 1 MiB');
    for (const [name, values] of bytes.values) {
      const value = median(values);
      results.push({ table: 'large', variant: name, median: value });
      log(`  ${large[name].label.padEnd(56)} ${(value / 1e9).toFixed(2).padStart(8)} GB/s`);
    }
  } finally {
    await far.close();
  }
  return results;
}

if (import.meta.main) await run();
