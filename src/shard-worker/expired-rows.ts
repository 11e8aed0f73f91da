/**
 * What a flush or a merge makes of rows that have expired. One whose key nothing older can have is dropped;
 * any other has to go on hiding that. Which runs are older is known when the job begins: meanwhile they
 * may be merged, which gives them no key that they did not have.
 */

import type { KeyBytes } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import { Expiry } from '../view/expiry.ts';
import type { Memtable } from '../view/memtable.ts';
import { Run, Segment, type SegmentHandle } from '../view/segment.ts';

/** By when rows have expired, and the runs that are older than those of the job, newest first. */
export interface ExpiryJob {
  readonly nowMs: number;
  readonly older: readonly (readonly SegmentHandle[])[];
}

export class ExpiredRows {
  readonly #schema: Schema;
  readonly #expiry: Expiry;
  readonly #nowMs: number;
  readonly #older: readonly Run[];

  private constructor(schema: Schema, expiry: Expiry, { nowMs, older }: ExpiryJob) {
    this.#schema = schema;
    this.#expiry = expiry;
    this.#nowMs = nowMs;
    this.#older = older.map((run) => new Run(run.map((handle) => new Segment(handle, schema.key))));
  }

  /** Null where there are none to look for. */
  static of(schema: Schema, job: ExpiryJob | null): ExpiredRows | null {
    const expiry = Expiry.of(schema);
    return job === null || expiry === null ? null : new ExpiredRows(schema, expiry, job);
  }

  /** Whether a row has expired; where it is is told as to `Expiry.at`. */
  has(source: Segment | Memtable, position: number): boolean {
    return this.#expiry.at(source, position) <= this.#nowMs;
  }

  /** Whether a row of that key may hide one in an older run. */
  isHiding(hi: number, lo: number, bytes: KeyBytes | null): boolean {
    return this.#older.some((run) => run.positionOf(hi, lo, this.#schema.key, bytes) >= 0);
  }
}
