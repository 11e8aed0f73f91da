/**
 * A subject's numbers in one shared WebAssembly.Memory: a kernel reads its own memory only, and what
 * it is measured against shall read the very same.
 */
import { F64Index } from '../../../src/rmi/index.ts';
import type { Subject } from '../subject.ts';

export type NumberSubject = Extract<Subject, { form: 'f64' }>;

/** Keys to look for, and room for the answers: what a batch of look-ups works on. */
export interface Probes {
  readonly wanted: Float64Array;
  /** Numbers of keys, in the order in which they are looked up. */
  readonly order: Uint32Array;
  /** Where each key stands, or −1. */
  readonly positions: Int32Array;
  /** The value in each key's row. */
  readonly found: Float64Array;
}

export interface SharedSubject {
  readonly memory: WebAssembly.Memory;
  readonly subject: NumberSubject;
  /** A column: the value in row p is p. */
  readonly values: Float64Array<SharedArrayBuffer>;
  /** The keys that the subject wants. */
  readonly probes: Probes;
  /** A few at a time of any others. */
  readonly others: Probes;
}

/** Keys that a user looks for at once. */
export const BATCH = 1000;

const PAGE_BYTES = 65536;
const PAGES_MAX = 65536;
const LINE_BYTES = 64;
/** Arrays that are laid out below. */
const ARRAYS = 12;

/** Null when it takes more than an address of 32 bits can reach. */
export function share({
  set,
  model,
  wanted,
  positions,
  ...rest
}: NumberSubject): SharedSubject | null {
  const { count } = set;
  const bytes =
    16 * count +
    model.nodes.byteLength +
    model.cells.byteLength +
    24 * (wanted.length + BATCH) +
    LINE_BYTES * ARRAYS;
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > PAGES_MAX) return null;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { buffer } = memory;
  let end = 0;
  const take = (length: number, width: number): number => {
    const start = end;
    end += Math.ceil((length * width) / LINE_BYTES) * LINE_BYTES;
    return start;
  };
  const float64s = (length: number) => new Float64Array(buffer, take(length, 8), length);
  const copy = (from: Float64Array): Float64Array<SharedArrayBuffer> => {
    const to = float64s(from.length);
    to.set(from);
    return to;
  };
  const probesOf = (some: Float64Array): Probes => {
    const { length } = some;
    const order = new Uint32Array(buffer, take(length, 4), length);
    for (let i = 0; i < length; i++) order[i] = i;
    const positions = new Int32Array(buffer, take(length, 4), length);
    return { wanted: copy(some), order, positions, found: float64s(length) };
  };
  const keys = copy(set.keys.subarray(0, count));
  const values = float64s(count);
  for (let p = 0; p < count; p++) values[p] = p;
  const cells = new Uint32Array(buffer, take(model.cells.length, 4), model.cells.length);
  cells.set(model.cells);
  const shared = { ...model, nodes: copy(model.nodes), cells };
  const probes = probesOf(wanted);
  return {
    memory,
    subject: {
      ...rest,
      set: { ...set, keys },
      model: shared,
      index: new F64Index(keys, count, shared),
      wanted: probes.wanted,
      positions,
    },
    values,
    probes,
    others: probesOf(new Float64Array(BATCH)),
  };
}
