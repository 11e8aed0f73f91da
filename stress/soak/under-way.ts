/** How many operations of a lane are under way, with their latencies once they have ended. */

import type { Bench } from './bench.ts';
import type { LatencyClass } from './board.ts';

/** Of those that take long, at once. */
const LONG_MAX = 2;

export class UnderWay {
  readonly #bench: Bench;
  #count = 0;
  #long = 0;
  #onNone: (() => void) | null = null;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  get count(): number {
    return this.#count;
  }

  get hasRoomForLong(): boolean {
    return this.#long < LONG_MAX;
  }

  began(latency: LatencyClass): void {
    this.#count++;
    if (latency === 'long') this.#long++;
  }

  /** @param start when it was meant to begin, by performance.now() */
  ended(latency: LatencyClass, start: number): void {
    const { board, lane } = this.#bench;
    this.#count--;
    if (latency === 'long') this.#long--;
    board.record(lane, latency, performance.now() - start);
  }

  /** After everything that an end brings about. */
  settled(): void {
    if (this.#count === 0) this.#onNone?.();
  }

  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => (this.#onNone = resolve));
  }
}
