/**
 * How each shard is, where any thread can read it without asking: its state, since when, why, and the
 * space it has.
 *
 * - One writer at a time: the shard's thread while it lives, and the supervisor from its death until its
 *   successor serves.
 * - A text is more than one word. The sequence word is odd while one is written; a reader that finds it
 *   odd, or changed, reads again. A writer that died amid a text is followed by one that writes another.
 * - All words are read and written atomically, so that none is seen before the sequence word. This is for
 *   people and their monitors, not for look-ups.
 */
import assert from 'node:assert';
import { codeNumber, codeOf, type ErrorCode, type OmenError } from '../errors.ts';

/**
 * `opening`: nothing is shown yet. `serving`: all is well. `full`: short of disk space or of descriptors,
 * which passes by itself. `recovering`: its thread died, and another is reading the log. `failed`: no write
 * is taken until the database is opened anew.
 */
export const SHARD_STATES = ['opening', 'serving', 'full', 'recovering', 'failed'] as const;
export type ShardState = (typeof SHARD_STATES)[number];

export interface ShardStatus {
  readonly state: ShardState;
  /** Milliseconds since 1970: when it came to be in this state. */
  readonly since: number;
  /** Why, unless it serves. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

const SEQUENCE = 0;
const STATE = 1;
const CODE = 2;
const TEXT_LENGTH = 3;
/** Two words that hold a 64-bit float. */
const SINCE = 4;
const TEXT = 8;
const TEXT_BYTES = 480;
export const STATUS_BYTES = 4 * TEXT + TEXT_BYTES;
assert.ok(STATUS_BYTES % 8 === 0);

/** More than a writer needs, by far; it is not waited for longer. */
const ATTEMPTS = 1000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class StatusBoard {
  readonly #words: Uint32Array;

  /** @param memory zeros in shared memory at creation, STATUS_BYTES for each shard from `byteOffset` on */
  constructor(memory: SharedArrayBuffer, byteOffset: number, shards: number) {
    this.#words = new Uint32Array(memory, byteOffset, (shards * STATUS_BYTES) / 4);
  }

  /** @param error why, for a state that is not as it should be */
  set(shard: number, state: ShardState, error: OmenError | null = null): void {
    const words = this.#words;
    const at = this.#at(shard);
    const text = new Uint8Array(TEXT_BYTES);
    const { written } = encoder.encodeInto(error?.message ?? '', text);
    const sequence = Atomics.load(words, at + SEQUENCE) | 1;
    const isNews = this.state(shard) !== state || Atomics.load(words, at + SINCE + 1) === 0;
    Atomics.store(words, at + SEQUENCE, sequence);
    Atomics.store(words, at + STATE, SHARD_STATES.indexOf(state));
    Atomics.store(words, at + CODE, error === null ? 0 : 1 + codeNumber(error.code));
    Atomics.store(words, at + TEXT_LENGTH, written);
    if (isNews) store(words, at + SINCE, new Uint32Array(Float64Array.of(Date.now()).buffer));
    store(words, at + TEXT, new Uint32Array(text.buffer));
    Atomics.store(words, at + SEQUENCE, sequence + 1);
  }

  state(shard: number): ShardState {
    return SHARD_STATES[Atomics.load(this.#words, this.#at(shard) + STATE)];
  }

  get(shard: number): ShardStatus {
    const words = this.#words;
    const at = this.#at(shard);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const sequence = Atomics.load(words, at + SEQUENCE);
      const copy = Uint32Array.from({ length: STATUS_BYTES / 4 }, (_, i) =>
        Atomics.load(words, at + i),
      );
      if (sequence % 2 === 0 && Atomics.load(words, at + SEQUENCE) === sequence) return read(copy);
    }
    return { state: this.state(shard), since: 0, error: null };
  }

  #at(shard: number): number {
    return (shard * STATUS_BYTES) / 4;
  }
}

function store(words: Uint32Array, at: number, source: Uint32Array): void {
  for (let i = 0; i < source.length; i++) Atomics.store(words, at + i, source[i]);
}

function read(words: Uint32Array): ShardStatus {
  const [since] = new Float64Array(words.buffer, 4 * SINCE, 1);
  const text = new Uint8Array(words.buffer, 4 * TEXT, words[TEXT_LENGTH]);
  const error =
    words[CODE] === 0 ? null : { code: codeOf(words[CODE] - 1), message: decoder.decode(text) };
  return { state: SHARD_STATES[words[STATE]], since, error };
}
