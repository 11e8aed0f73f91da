/**
 * What the threads of the process under soak count, in shared memory: operations by kind, latencies by
 * class, and how late their event loops are. Each lane writes its own part; the main thread adds them up.
 */
import { addTo, BUCKETS, bucketOf } from './histogram.ts';
import { KINDS, type OperationKind } from './phases.ts';

export const CLASSES = ['read', 'write', 'long'] as const;
export type LatencyClass = (typeof CLASSES)[number];

/** What writes came to. */
export const OUTCOMES = ['done', 'refused', 'unknown'] as const;

/** Words of a lane: operations by kind, latencies by class, what writes came to, how the thread is. */
const LATENCIES_AT = KINDS.length;
const OUTCOMES_AT = LATENCIES_AT + CLASSES.length * BUCKETS;
const LOOP_AT = OUTCOMES_AT + OUTCOMES.length;
const BEHIND_AT = LOOP_AT + 1;
const HEAP_AT = BEHIND_AT + 1;
const LANE_WORDS = HEAP_AT + 1;

export function boardMemory(lanes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * lanes * LANE_WORDS);
}

export class Board {
  readonly #floats: Float64Array;
  readonly #lanes: number;

  constructor(memory: SharedArrayBuffer) {
    this.#floats = new Float64Array(memory);
    this.#lanes = this.#floats.length / LANE_WORDS;
  }

  count(lane: number, kind: OperationKind): void {
    this.#floats[lane * LANE_WORDS + KINDS.indexOf(kind)]++;
  }

  /** @param ms from when it was meant to begin */
  record(lane: number, latency: LatencyClass, ms: number): void {
    const at = LATENCIES_AT + CLASSES.indexOf(latency) * BUCKETS;
    this.#floats[lane * LANE_WORDS + at + bucketOf(1000 * ms)]++;
  }

  outcome(lane: number, outcome: (typeof OUTCOMES)[number]): void {
    this.#floats[lane * LANE_WORDS + OUTCOMES_AT + OUTCOMES.indexOf(outcome)]++;
  }

  /**
   * How a thread is.
   * @param loopMs how late its event loop is
   * @param behind operations that are due and were not begun
   */
  setThread(lane: number, loopMs: number, behind: number, heapBytes: number): void {
    const at = lane * LANE_WORDS;
    this.#floats[at + LOOP_AT] = loopMs;
    this.#floats[at + BEHIND_AT] = behind;
    this.#floats[at + HEAP_AT] = heapBytes;
  }

  /** Of all lanes together. */
  sum(): BoardSum {
    const sum = new Float64Array(LANE_WORDS);
    const loops: number[] = [];
    for (let lane = 0; lane < this.#lanes; lane++) {
      const words = this.#floats.subarray(lane * LANE_WORDS, (lane + 1) * LANE_WORDS);
      addTo(sum, words);
      loops.push(words[LOOP_AT]);
    }
    return {
      counts: sum.slice(0, LATENCIES_AT),
      latencies: CLASSES.map((_, i) => {
        return sum.slice(LATENCIES_AT + i * BUCKETS, LATENCIES_AT + (i + 1) * BUCKETS);
      }),
      outcomes: [...sum.subarray(OUTCOMES_AT, LOOP_AT)],
      loopMs: Math.max(...loops),
      behind: sum[BEHIND_AT],
      heapBytes: sum[HEAP_AT],
    };
  }
}

export interface BoardSum {
  /** By kind, in the order of KINDS. */
  readonly counts: Float64Array;
  /** By class, in the order of CLASSES: counts by bucket. */
  readonly latencies: readonly Float64Array[];
  /** In the order of OUTCOMES. */
  readonly outcomes: readonly number[];
  /** Of the thread whose event loop is the latest. */
  readonly loopMs: number;
  readonly behind: number;
  readonly heapBytes: number;
}
