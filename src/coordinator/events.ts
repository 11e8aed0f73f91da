/**
 * Events of a database, for `on`, `once` and `off`, in each thread that has it open. As Node's emitters
 * have it, but for this: an `error` that nobody listens to ends no process, and what happens before there
 * is a listener is kept for it. So nothing of an open is missed, and nothing at all needs to be listened
 * to: every write that is affected says so itself.
 *
 * Listeners are called from the event loop, never from within a read or a write of this thread.
 */
import { EventEmitter } from 'node:events';
import { OmenError } from '../errors.ts';
import type { Notice } from '../shard-worker/notice.ts';

/** Shards that serve again. */
export interface Resumed {
  readonly shards: readonly number[];
  readonly message: string;
}

/** What listeners are called with. */
export interface DatabaseEvents {
  /**
   * Something fails in the background: OMEN_DISK_FULL and OMEN_TOO_MANY_FILES (a shard takes no puts until
   * there is room), OMEN_SHARD_FAILED (a shard's thread ended and is being replaced, or a shard takes no
   * writes until the database is opened anew).
   */
  readonly error: OmenError;
  /** Shards take all writes again: there is room, or their thread was replaced. */
  readonly resumed: Resumed;
  /** Recovery mended something that cost no acknowledged row: OMEN_TAIL_CUT, OMEN_MODEL_REBUILT. */
  readonly repaired: OmenError;
}

export type EventName = keyof DatabaseEvents;
export type Listener<Name extends EventName> = (argument: DatabaseEvents[Name]) => void;

/** What a listener to any event is to the emitter. */
type AnyListener = (argument: OmenError & Resumed) => void;

/** Of those that nobody listened to yet, the newest. */
const KEPT_MAX = 64;

export class Events {
  readonly #emitter = new EventEmitter();
  #kept: Notice[] = [];

  on<Name extends EventName>(name: Name, listener: Listener<Name>): void {
    this.#emitter.on(name, listener as AnyListener);
    this.#deliverSoon();
  }

  once<Name extends EventName>(name: Name, listener: Listener<Name>): void {
    this.#emitter.once(name, listener as AnyListener);
    this.#deliverSoon();
  }

  off<Name extends EventName>(name: Name, listener: Listener<Name>): void {
    this.#emitter.off(name, listener as AnyListener);
  }

  notify(notice: Notice): void {
    this.#kept.push(notice);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    process.nextTick(() => this.#deliver());
  }

  /** One at a time: a listener that throws takes none of the others with it. */
  #deliver(): void {
    const at = this.#kept.findIndex(({ notice }) => this.#emitter.listenerCount(notice) > 0);
    if (at < 0) return;
    const [notice] = this.#kept.splice(at, 1);
    this.#deliverSoon();
    this.#emitter.emit(notice.notice, argumentOf(notice));
  }
}

function argumentOf(notice: Notice): OmenError | Resumed {
  if (notice.notice !== 'resumed') return new OmenError(notice.code, notice.message);
  const { shards, message } = notice;
  return { shards, message };
}
