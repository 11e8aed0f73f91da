/** What the process that compares asks of one that has an engine. Each request has one answer. */
import type { EngineName } from './engine.ts';
import type { KeyKind, Order } from './rows.ts';
import type { Outcome } from './tasks.ts';

export interface Prepare {
  readonly engine: EngineName;
  readonly kind: KeyKind;
  readonly rows: number;
  readonly directory: string;
}

export interface Commands {
  /** First of all. Gives the tasks that the engine can do. */
  prepare: { asks: Prepare; gives: readonly string[] };
  /** Into an empty database, which is closed then; nanoseconds a row. */
  load: { asks: { readonly order: Order }; gives: number };
  /** Bytes on disk as loaded, then compacted; the database is closed for both. */
  settle: { asks: null; gives: { readonly loaded: number; readonly compacted: number } };
  /** Reads everything once; bytes that are resident now and were not before, and those of them of files. */
  memory: { asks: null; gives: { readonly resident: number; readonly mapped: number } };
  run: {
    asks: { readonly task: string; readonly seed: number; readonly scale: number };
    gives: Outcome;
  };
  /** Whether all rows are there, in their last version. */
  verify: { asks: null; gives: null };
  close: { asks: null; gives: null };
  /**
   * Of a database that another process made: nanoseconds from opening it to the first row. All rows are
   * looked at afterwards, or a sample.
   */
  open: { asks: { readonly verify: 'all' | 'sample' }; gives: number };
  /** Puts so many rows that need not be durable into an empty database, and leaves it open. */
  write: { asks: null; gives: null };
}

export type Command = keyof Commands;

export interface Request<C extends Command = Command> {
  readonly command: C;
  readonly asks: Commands[C]['asks'];
}

export type Answer = { readonly gives: Commands[Command]['gives'] } | { readonly failed: string };
