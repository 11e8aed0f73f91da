/**
 * What a shard does while something runs out that may come back: disk space, quota, inodes, descriptors.
 *
 * - *Short*: a write to the log, a flush or a new log file found no room. Puts are refused, and the
 *   reserve is given up for deletes and for the flush. *Exhausted*: that did not suffice, and nothing is
 *   written until the next try. Neither is a failure: nothing that was acknowledged is in doubt.
 * - A *try* is due every RETRY_MS, less often after tries in vain: whoever is woken anyway asks `isDue`.
 *   No timer, nothing that keeps a process alive.
 */
import { OmenError } from '../errors.ts';

const RETRY_MS = 1000;
const RETRY_MS_MAX = 4000;

export class Shortage {
  /** Why puts are refused for now, or null. */
  refusal: OmenError | null = null;
  isExhausted = false;
  /** Why a flush or a merge waits for the next try, or null. */
  flush: OmenError | null = null;
  merge: OmenError | null = null;
  #nextMs = 0;
  #waitMs = RETRY_MS;

  /** Whether it is time for a try, of which then the next is some time off. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = nowMs + this.#waitMs;
    return true;
  }

  /** Something found room: the next try comes at once. */
  relax(): void {
    this.#nextMs = 0;
    this.#waitMs = RETRY_MS;
  }

  /** Whether the last try was in vain. */
  get isTrying(): boolean {
    return this.#waitMs > RETRY_MS;
  }

  /** A try was in vain. */
  back(): void {
    this.#waitMs = Math.min(2 * this.#waitMs, RETRY_MS_MAX);
  }

  /** What callers whose puts are refused are told. */
  refuse(shard: number, cause: OmenError): OmenError {
    this.refusal = new OmenError(
      cause.code,
      `Shard ${shard} takes no puts for now: ${cause.message} ${ADVICE[cause.code] ?? ''}`,
      { cause },
    );
    return this.refusal;
  }
}

const ADVICE: Readonly<Partial<Record<string, string>>> = {
  OMEN_DISK_FULL: 'Free some space: it then goes on by itself. Reads and deletes go on meanwhile.',
  OMEN_TOO_MANY_FILES: 'Raise the limit of open files, or close some: it then goes on by itself.',
};
