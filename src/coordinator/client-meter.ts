/**
 * What a client counts and times of its operations, in its slot of the control block (`view/meters.ts`).
 *
 * Reading the clock takes as long as a third of a `get`. So of what takes microseconds one call in 64 is
 * timed, and every one of what takes longer; with `slowMs`, every one of both. Gets are the reader's own
 * business (`Reader.get`): it counts them in steps, and times one in about a thousand.
 *
 * Errors are counted where they are given to a caller, each once, though an update or a load may pass on
 * what a write of theirs failed with.
 */
import { codeNumber, type ErrorCode, OmenError } from '../errors.ts';
import { record } from '../view/histogram.ts';
import {
  BACKLOG,
  CALLS_AT,
  type ClientHistogram,
  ERRORS_AT,
  type MeterBoard,
  OPERATIONS,
  type Operation,
  ROWS_AT,
  SLOW_AT,
  WAITED_NS,
  WAITS,
} from '../view/meters.ts';
import { publish } from './channels.ts';
import type { Settler } from './link.ts';
import type { Membership } from './membership.ts';

const kindOf = (operation: Operation): number => OPERATIONS.indexOf(operation);
export const GET = kindOf('get');
export const GET_MANY = kindOf('getMany');
export const ORDERED = kindOf('ordered');
export const ITERATE = kindOf('iterate');
export const SCAN = kindOf('scan');
export const AGGREGATE = kindOf('aggregate');
export const SNAPSHOT = kindOf('snapshot');
export const PUT = kindOf('put');
export const DEL = kindOf('del');
export const BATCH = kindOf('batch');
export const CLEAR = kindOf('clear');
export const UPDATE = kindOf('update');
export const LOAD = kindOf('load');
export const FLUSH = kindOf('flush');
export const COMPACT = kindOf('compact');

const SHORT: readonly number[] = [GET_MANY, ORDERED, ITERATE, SNAPSHOT, PUT, DEL, BATCH];
const CALLS_PER_SAMPLE = 64;

export class ClientMeter {
  readonly #meters: MeterBoard;
  readonly #words: Float64Array;
  readonly #client: number;
  readonly #slot: number;
  readonly #callsAt: number;
  readonly #path: string;
  readonly #slowMs: number;
  /** Of each kind, one call in how many is timed, and how many are left until then. */
  readonly #every: Int32Array;
  readonly #left = new Int32Array(OPERATIONS.length).fill(1);
  readonly #counted = new WeakSet<OmenError>();
  /** Since when writes wait for room. */
  #stalledMs = 0;
  #isClosed = false;

  constructor({ control, client, path, slowMs }: Membership) {
    this.#meters = control.meters;
    this.#words = control.meters.words;
    this.#client = client;
    this.#slot = control.meters.clientAt(client);
    this.#callsAt = this.#slot + CALLS_AT;
    this.#path = path;
    this.#slowMs = slowMs;
    const isTimed = slowMs < Number.POSITIVE_INFINITY;
    this.#every = Int32Array.from(OPERATIONS, (_, kind) =>
      SHORT.includes(kind) && !isTimed ? CALLS_PER_SAMPLE : 1,
    );
  }

  #add(word: number, count: number): void {
    this.#words[this.#slot + word] += count;
  }

  /** Counts an operation that begins. Whether it is one of those to be timed. */
  counted(kind: number): boolean {
    this.#words[this.#callsAt + kind]++;
    return --this.#left[kind] <= 0;
  }

  #start(kind: number): number {
    this.#left[kind] = this.#every[kind];
    return performance.now();
  }

  /** Counts an operation that begins. Returns when, for `end`, or 0 where it is not timed. */
  begin(kind: number): number {
    return this.counted(kind) ? this.#start(kind) : 0;
  }

  /** @param startMs what `begin` returned */
  end(kind: number, startMs: number, code: ErrorCode | null = null): void {
    if (startMs !== 0) this.took(kind, performance.now() - startMs, code);
  }

  /** How long an operation took. */
  took(kind: number, ms: number, code: ErrorCode | null = null): void {
    if (this.#isClosed) return;
    record(this.#words, this.#meters.timesAt(this.#client, kind), ms * 1e6);
    if (ms < this.#slowMs) return;
    this.#add(SLOW_AT + kind, 1);
    publish('omendb:slow', () => ({
      path: this.#path,
      operation: OPERATIONS[kind],
      ms,
      code,
    }));
  }

  /** Counts operations without timing them. */
  count(kind: number, calls: number): void {
    this.#add(CALLS_AT + kind, calls);
  }

  /** Rows that an operation had to do with: read, or written. */
  rows(kind: number, rows: number): void {
    if (!this.#isClosed) this.#add(ROWS_AT + kind, rows);
  }

  /** A batch is of so many operations. */
  batch(operations: number): void {
    this.rows(BATCH, operations);
    this.record('batchOperations', operations);
  }

  record(name: ClientHistogram, value: number): void {
    record(this.#words, this.#meters.clientHistogramAt(this.#client, name), value);
  }

  /** Counts an error that callers are given, so many of them. */
  failed(error: unknown, callers = 1): void {
    if (this.#isClosed || !(error instanceof OmenError)) return;
    this.#counted.add(error);
    this.#add(ERRORS_AT + codeNumber(error.code), callers);
  }

  /**
   * Times a write that was counted, until it is settled, and notes how many are under way with it. Apart from
   * `counted`, since V8 takes only so much code into a function: `put` is to have the rest of itself in it.
   */
  timed(kind: number, writer: { readonly inFlight: number }, settler: Settler): Settler {
    const startMs = this.#start(kind);
    this.record('inFlight', writer.inFlight + 1);
    return {
      resolve: () => {
        this.end(kind, startMs);
        settler.resolve();
      },
      reject: (error) => {
        this.end(kind, startMs, error.code);
        settler.reject(error);
      },
    };
  }

  /** Counts and times what is done, and what it fails with unless that is counted already. */
  async run<T>(kind: number, work: () => Promise<T>): Promise<T> {
    const startMs = this.begin(kind);
    let code: ErrorCode | null = null;
    try {
      return await work();
    } catch (error) {
      if (error instanceof OmenError) {
        code = error.code;
        if (!this.#counted.has(error)) this.failed(error);
      }
      throw error;
    } finally {
      this.end(kind, startMs, code);
    }
  }

  /** A write found no room, and waits with others. */
  waits(backlog: number): void {
    if (backlog === 1) this.#stalledMs = performance.now();
    this.#add(WAITS, 1);
    this.#words[this.#slot + BACKLOG] = backlog;
  }

  /** So many writes wait on. */
  moved(backlog: number): void {
    if (this.#isClosed) return;
    this.#words[this.#slot + BACKLOG] = backlog;
    if (backlog === 0) this.#add(WAITED_NS, (performance.now() - this.#stalledMs) * 1e6);
  }

  /** The slot may be another's from now on: nothing more is counted. */
  close(): void {
    this.#isClosed = true;
  }
}
