/**
 * What the threads of the process under soak count, in shared memory: operations by kind, latencies by
 * class, and how late their event loops are. Each lane writes its own part; the main thread adds them up.
 */
import { addTo, BUCKETS, bucketOf } from './histogram.ts';
import { KINDS, type OperationKind } from './phases.ts';

export const CLASSES = ['read', 'write', 'long'] as const;
export type LatencyClass = (typeof CLASSES)[number];

const COUNTS = KINDS.length;
const LANE_WORDS = COUNTS + CLASSES.length * BUCKETS;
/** Codes of errors that writes met. */
export const OUTCOMES = ['done', 'refused', 'unknown'] as const;

export function boardMemory(lanes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * lanes * (LANE_WORDS + 8));
}

export class Board {
  readonly #floats: Float64Array;
  readonly #lanes: number;

  constructor(memory: SharedArrayBuffer) {
    this.#floats = new Float64Array(memory);
    this.#lanes = this.#floats.length / (LANE_WORDS + 8);
  }

  /** The words of a lane behind its counts: lateness of its event loop, operations behind schedule. */
  #extra(lane: number, word: number): number {
    return lane * (LANE_WORDS + 8) + LANE_WORDS + word;
  }

  count(lane: number, kind: OperationKind): void {
    this.#floats[lane * (LANE_WORDS + 8) + KINDS.indexOf(kind)]++;
  }

  /** @param ms from when it was meant to begin */
  record(lane: number, latency: LatencyClass, ms: number): void {
    const at = lane * (LANE_WORDS + 8) + COUNTS + CLASSES.indexOf(latency) * BUCKETS;
    this.#floats[at + bucketOf(1000 * ms)]++;
  }

  setLateness(lane: number, loopMs: number, behind: number): void {
    this.#floats[this.#extra(lane, 0)] = loopMs;
    this.#floats[this.#extra(lane, 1)] = behind;
  }

  outcome(lane: number, outcome: (typeof OUTCOMES)[number]): void {
    this.#floats[this.#extra(lane, 2 + OUTCOMES.indexOf(outcome))]++;
  }

  /** Of all lanes together. */
  sum(): BoardSum {
    const lanes = Array.from({ length: this.#lanes }, (_, lane) => lane);
    const of = (word: number) => lanes.map((lane) => this.#floats[this.#extra(lane, word)]);
    const counts = new Float64Array(COUNTS);
    const latencies = CLASSES.map(() => new Float64Array(BUCKETS));
    for (const lane of lanes) {
      const at = lane * (LANE_WORDS + 8);
      addTo(counts, this.#floats.subarray(at, at + COUNTS));
      for (const [i, sum] of latencies.entries()) {
        const first = at + COUNTS + i * BUCKETS;
        addTo(sum, this.#floats.subarray(first, first + BUCKETS));
      }
    }
    const total = (word: number) => of(word).reduce((a, b) => a + b, 0);
    return {
      counts,
      latencies,
      loopMs: Math.max(...of(0)),
      behind: total(1),
      outcomes: OUTCOMES.map((_, i) => total(2 + i)),
    };
  }
}

export interface BoardSum {
  /** By kind, in the order of KINDS. */
  readonly counts: Float64Array;
  /** By class, in the order of CLASSES: counts by bucket. */
  readonly latencies: readonly Float64Array[];
  readonly loopMs: number;
  /** Operations that were due and had not been begun. */
  readonly behind: number;
  /** In the order of OUTCOMES. */
  readonly outcomes: readonly number[];
}
