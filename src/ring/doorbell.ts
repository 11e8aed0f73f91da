/**
 * Doorbell: how a thread that found no work sleeps until somebody has put some down.
 *
 * Invariants
 * - Two words of shared memory: `count`, bumped by every ring, and `asleep`, which tells ringers
 *   whether a notify (a lock inside V8, and a system call if someone sleeps) is worth its price.
 * - Any number of threads ring. One thread sleeps, and it alone writes `asleep`.
 * - Who rings: publish the work, bump `count`, load `asleep`, notify if it is set.
 * - Who sleeps: read `count`, look for work, set `asleep`, wait while `count` is what was read, clear
 *   `asleep`. The read of `count` comes before the look, or a ring in between is lost.
 *
 * Why no wake-up is lost: all accesses are sequentially consistent. Work that the look missed was
 * published after it, so its bump comes after the read of `count`. If the bump precedes the wait, the
 * wait returns at once. If not, `asleep` was set before the bump, and the ringer sees it and notifies.
 * (test/ring/model.ts walks through every interleaving of these steps, and of wrong variants.)
 *
 * A ring may be spared after a publish that returned false (ring.ts): there was something the sleeper
 * had not released, and it will look again. That holds only for a sleeper that, whenever it released
 * anything, reads `count` and looks at the ring once more before it sleeps.
 *
 * Ringers do not clear `asleep`, tempting as it is to notify once only: a slow one would clear the
 * flag of the next sleep, notify too early for it, and silence all others. The price is a few notifies
 * without effect until the sleeper is up. So too a ringer that dies takes only its own ring with it.
 *
 * `count` wraps: 2^32 rings within one look for work would go unnoticed, which takes minutes.
 */
import assert from 'node:assert';

/** Bytes a doorbell uses. Give each a distance of 128 from other words that are written often. */
export const DOORBELL_BYTES = 8;

const COUNT = 0;
const ASLEEP = 1;

export class Doorbell {
  readonly #words: Int32Array<SharedArrayBuffer>;
  #pending: Promise<void> | undefined;

  /** Over the 8 bytes at `byteOffset` (a multiple of 8), zeroed when the memory was made. */
  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    assert(byteOffset % 8 === 0, `a doorbell lies at a multiple of 8 bytes, not ${byteOffset}`);
    this.#words = new Int32Array(memory, byteOffset, DOORBELL_BYTES / 4);
  }

  /** Wakes the sleeper, if there is one. Call it after the work was published. Allocates nothing. */
  ring(): void {
    Atomics.add(this.#words, COUNT, 1);
    if (Atomics.load(this.#words, ASLEEP) !== 0) Atomics.notify(this.#words, COUNT);
  }

  /** What to hand to `spin` and `sleep…`. Read it before looking for work, never after. */
  read(): number {
    return Atomics.load(this.#words, COUNT);
  }

  /** Watches for a ring since `seen` without sleeping, `rounds` times. Returns whether there was one. */
  spin(seen: number, rounds: number): boolean {
    for (let i = 0; i < rounds; i++) {
      if (Atomics.load(this.#words, COUNT) !== seen) return true;
      Atomics.pause();
    }
    return false;
  }

  /**
   * Blocks this thread until somebody has rung since `seen`, or `timeoutMs` have passed. Returns
   * whether there was a ring; true may also be a leftover of an earlier one, so look for work again.
   */
  sleepSync(seen: number, timeoutMs: number = Number.POSITIVE_INFINITY): boolean {
    Atomics.store(this.#words, ASLEEP, 1);
    const outcome = Atomics.wait(this.#words, COUNT, seen, timeoutMs);
    if (this.#pending === undefined) Atomics.store(this.#words, ASLEEP, 0);
    return outcome !== 'timed-out';
  }

  /**
   * A promise that resolves once somebody has rung since `seen`; undefined when that is so already.
   * Look for work again in either case. There is at most one outstanding wait (V8 keeps each until it
   * is notified): while one is, the same promise comes back. It keeps no process alive, and it has no
   * time-out: who closes a doorbell rings it.
   */
  sleepAsync(seen: number): Promise<void> | undefined {
    if (this.#pending !== undefined) return this.#pending;
    Atomics.store(this.#words, ASLEEP, 1);
    const outcome = Atomics.waitAsync(this.#words, COUNT, seen);
    if (!outcome.async) {
      Atomics.store(this.#words, ASLEEP, 0);
      return undefined;
    }
    this.#pending = outcome.value.then(() => {
      this.#pending = undefined;
      Atomics.store(this.#words, ASLEEP, 0);
    });
    return this.#pending;
  }
}
