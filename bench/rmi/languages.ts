/**
 * The same look-ups in three languages, over the same numbers and in turns: our own TypeScript, the
 * kernel in WebAssembly, and native code.
 *
 * A turn is long enough that whoever has it gets the index back into the cache, and is clocked in
 * slices so short that most of them pass without another process taking the processor away: its figure
 * is that of the median slice.
 */
import { Prefetch } from '../../src/view/prefetch.ts';
import { median } from '../engine/report.ts';
import { freshLoops, STAGE_KEYS } from './contenders/loops.ts';
import type { Contender } from './measure.ts';
import { INDEXES, startNative } from './native.ts';
import type { Subject } from './subject.ts';
import { kernelOver, verifyKernel } from './wasm/kernel.ts';
import { BATCH, type SharedSubject, share } from './wasm/memory.ts';

/** Nanoseconds a key, medians. */
export interface Figures {
  /** One key after the other. */
  readonly single: number;
  /** In staged batches. */
  readonly batch: number;
  /** The same, and a value of each row. Where keys are numbers. */
  readonly values?: number;
}

export interface Languages {
  readonly ours: Figures;
  /** Null where keys are not numbers, or `wabt` is not installed. */
  readonly wasm: Required<Omit<Figures, 'single'>> | null;
  /** Our model there, and lines under a radix table. Null where there is no compiler. */
  readonly native: Readonly<Record<(typeof INDEXES)[number], Figures>> | null;
}

export interface Programs {
  /** The assembled kernel. */
  readonly wasm: Uint8Array<ArrayBuffer> | null;
  /** The path of the compiled program. */
  readonly native: string | null;
}

/** Ways that need keys alone. */
const INDEX_WAYS = ['single', 'batch'] as const;

const TURN = 100_000;
const SLICE = 5000;

/** @throws when an answer is wrong */
export async function compareLanguages(
  original: Subject,
  programs: Programs,
  rounds: number,
): Promise<Languages> {
  const shared = original.form === 'f64' ? share(original) : null;
  const subject = shared?.subject ?? original;
  const contenders: Record<string, Contender> = {
    'ours single': (await freshLoops(subject))('random').oursAsking(),
    'ours batch': (await freshLoops(subject))('random').oursInBatches(),
    ...(shared !== null && { 'ours values': oursWithValues(shared) }),
    ...(shared !== null && programs.wasm !== null && wasmOver(shared, programs.wasm)),
  };
  const ways = shared === null ? INDEX_WAYS : [...INDEX_WAYS, 'values' as const];
  const native = programs.native === null ? null : startNative(subject, programs.native);
  const { length } = subject.positions;
  const turns = Math.max(1, Math.floor(length / TURN));
  const times = new Map<string, number[]>();
  const note = (name: string, ns: number) => times.set(name, [...(times.get(name) ?? []), ns]);
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    if (round === 1) times.clear();
    for (let turn = 0; turn < turns; turn++) {
      const from = Math.floor((turn * length) / turns);
      const to = Math.floor(((turn + 1) * length) / turns);
      for (const [name, contender] of Object.entries(contenders)) {
        note(name, timeTurn(name, contender, subject.positions, from, to));
      }
      if (native === null) continue;
      for (const index of INDEXES) {
        for (const way of ways) note(`${index} ${way}`, await native.ask(index, way, from, to));
      }
    }
  }
  await native?.close();
  const of = (name: string, way: keyof Figures) => median(times.get(`${name} ${way}`) ?? []);
  const figuresOf = (name: string): Figures => ({
    single: of(name, 'single'),
    batch: of(name, 'batch'),
    ...(shared !== null && { values: of(name, 'values') }),
  });
  return {
    ours: figuresOf('ours'),
    wasm: times.has('wasm batch')
      ? { batch: of('wasm', 'batch'), values: of('wasm', 'values') }
      : null,
    native: native && { cells: figuresOf('cells'), lines: figuresOf('lines') },
  };
}

function timeTurn(
  name: string,
  contender: Contender,
  positions: Uint32Array,
  from: number,
  to: number,
): number {
  const times: number[] = [];
  for (let start = from; start < to; start += SLICE) {
    const end = Math.min(start + SLICE, to);
    let sum = 0;
    const begin = process.hrtime.bigint();
    for (let first = start; first < end; first += BATCH) {
      sum += contender(first, Math.min(first + BATCH, end));
    }
    times.push(Number(process.hrtime.bigint() - begin) / (end - start));
    for (let i = start; i < end; i++) sum -= positions[i];
    if (sum !== 0) throw new Error(`There are wrong answers (${name}).`);
  }
  return median(times);
}

/** As a segment looks keys up, and then the values in their rows. */
function oursWithValues({ subject, values, probes }: SharedSubject): Contender {
  const { index, set } = subject;
  const { wanted, positions, found } = probes;
  const extent = ({ byteOffset: offset, byteLength: length }: Float64Array) => ({ offset, length });
  const prefetch = new Prefetch(values.buffer, {
    rows: set.count,
    key: { validity: null, offsets: null, data: extent(set.keys) },
    columns: [{ validity: null, offsets: null, data: extent(values) }],
    flags: null,
    bodyBytes: values.buffer.byteLength,
  });
  return (from, to) => {
    let sum = 0;
    for (let start = from; start < to; start += STAGE_KEYS) {
      const end = Math.min(start + STAGE_KEYS, to);
      index.predictMany(wanted, start, end, positions);
      prefetch.nearMany(positions, start, end);
      index.findFromMany(wanted, start, end, positions);
      for (let i = start; i < end; i++) {
        const row = positions[i];
        found[i] = row < 0 ? 0 : values[row];
      }
      for (let i = start; i < end; i++) sum += found[i];
    }
    return sum;
  };
}

function wasmOver(
  shared: SharedSubject,
  program: Uint8Array<ArrayBuffer>,
): Record<string, Contender> {
  const kernel = kernelOver(program, shared);
  verifyKernel(kernel, shared);
  const { positions, found } = shared.probes;
  return {
    'wasm batch'(from, to) {
      kernel.find(shared.probes, from, to);
      let sum = 0;
      for (let i = from; i < to; i++) sum += positions[i];
      return sum;
    },
    'wasm values'(from, to) {
      kernel.findValues(shared.probes, from, to);
      let sum = 0;
      for (let i = from; i < to; i++) sum += found[i];
      return sum;
    },
  };
}
