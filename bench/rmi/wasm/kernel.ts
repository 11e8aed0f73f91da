/**
 * The kernel of `kernel.wat`, assembled by the package `wabt`, over a subject in its memory. It is what
 * OmenDB's own batches are measured against; the engine does without it.
 */
import { readFileSync } from 'node:fs';
import type { NumberSet } from '../key-sets.ts';
import { eachProbe } from '../verify.ts';
import { BATCH, type Probes, type SharedSubject } from './memory.ts';

const SOURCE = new URL('kernel.wat', import.meta.url);

/** Keys that go through a stage together. 64 and 256 take as long, 32 a tenth longer. */
const STAGE_KEYS = 128;

/** What is used of the package. */
interface Wabt {
  readonly default: () => Promise<{
    parseWat(
      file: string,
      text: string,
      features: { readonly threads: boolean },
    ): { toBinary(options: object): { readonly buffer: Uint8Array<ArrayBuffer> }; destroy(): void };
  }>;
}

/** Stages; see there for the arguments. */
type Exports = Readonly<
  Record<'predict' | 'search' | 'gather' | 'touch', (...numbers: number[]) => number>
>;

export interface Kernel {
  /** Finds the keys numbered order[from, to). */
  find(probes: Probes, from: number, to: number): void;
  /** The same, and the values in their rows, 0 where there is no such key. */
  findValues(probes: Probes, from: number, to: number): void;
}

/** Null where `wabt` is not installed. @throws when it refuses the text */
export async function assemble(): Promise<Uint8Array<ArrayBuffer> | null> {
  const name = 'wabt'; // which the compiler is not to see: users never install it
  const wabt = await import(name).then(
    (module: Wabt) => module.default(),
    () => null,
  );
  if (wabt === null) return null;
  const text = wabt.parseWat('kernel.wat', readFileSync(SOURCE, 'utf8'), { threads: true });
  const { buffer } = text.toBinary({});
  text.destroy();
  return buffer;
}

export function kernelOver(
  program: Uint8Array<ArrayBuffer>,
  { memory, subject, values: { byteOffset: values } }: SharedSubject,
): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(program), {
    segment: { memory },
  });
  const { predict, touch, search, gather } = exports as Exports;
  const { set, model } = subject;
  const keys = set.keys.byteOffset;
  const nodes = model.nodes.byteOffset;
  const cells = model.cells.byteOffset;
  const { count } = set;
  const find = (probes: Probes, from: number, to: number, rows: number): void => {
    const wanted = probes.wanted.byteOffset;
    const order = probes.order.byteOffset;
    const positions = probes.positions.byteOffset;
    const found = probes.found.byteOffset;
    for (let start = from; start < to; start += STAGE_KEYS) {
      const end = Math.min(start + STAGE_KEYS, to);
      predict(nodes, cells, wanted, order, start, end, positions);
      touch(keys, rows, count, order, start, end, positions);
      search(keys, count, wanted, order, start, end, positions);
      if (rows !== 0) gather(rows, order, start, end, positions, found);
    }
  };
  return {
    find: (probes, from, to) => find(probes, from, to, 0),
    findValues: (probes, from, to) => find(probes, from, to, values),
  };
}

/**
 * Looks every key up, and absent ones beside each, a batch at a time.
 * @throws at the first wrong answer
 */
export function verifyKernel(
  kernel: Kernel,
  { subject, others: { wanted, order, positions, found } }: SharedSubject,
): void {
  const expected = new Int32Array(BATCH);
  let waiting = 0;
  const check = (): void => {
    positions.fill(-2);
    kernel.findValues({ wanted, order, positions, found }, 0, waiting);
    for (let i = 0; i < waiting; i++) {
      if (positions[i] !== expected[i] || found[i] !== Math.max(0, expected[i])) {
        throw new Error(`The kernel finds ${wanted[i]} at ${positions[i]}, not at ${expected[i]}.`);
      }
    }
    waiting = 0;
  };
  eachProbe(subject.set satisfies NumberSet, (key, _, position) => {
    wanted[waiting] = key;
    expected[waiting] = position;
    if (++waiting === BATCH) check();
  });
  check();
}
