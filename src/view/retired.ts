/**
 * Shared memory that this thread has let go of. V8 does not count it, so somebody has to: once it is
 * more than a bound, or than the heap that a collection has to walk, one is forced. The
 * second bound keeps the share of time spent collecting small where a heap is large.
 */
import { collectGarbage } from './collect-garbage.ts';

const RETIRED_BYTES_MAX = 128 * 2 ** 20;
/** Less than this is not worth a collection that was asked for. */
const RETIRED_BYTES_MIN = 8 * 2 ** 20;

export class Retired {
  readonly #bytesMax: number;
  #bytes = 0;
  #isDue = false;

  constructor(bytesMax = RETIRED_BYTES_MAX) {
    this.#bytesMax = Math.min(bytesMax, RETIRED_BYTES_MAX);
  }

  /** Counts memory that the caller is about to let go of. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isDue || this.#bytes < this.#bytesMax) return;
    if (this.#bytes < process.memoryUsage().heapUsed) return;
    // Later: the caller's own variables still lead to it.
    this.#isDue = true;
    setImmediate(() => this.#collect()).unref();
  }

  /** Collects now, where there is something to gain: at the end of a compaction. */
  release(): void {
    if (this.#bytes >= RETIRED_BYTES_MIN) this.#collect();
  }

  #collect(): void {
    this.#bytes = 0;
    this.#isDue = false;
    collectGarbage();
  }
}
