/**
 * The rows that a database has when a bulk load comes, where the load's rows are not to take their place: those
 * in runs older than its mark. They are looked up, each key of the load by the learned index of every run, and
 * not merged: a small load into a large database reads little of it.
 */
import { OmenError } from '../errors.ts';
import { sortableToNumber } from '../schema/key.ts';
import { hashBytes, type KeyBytes } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import type { Bound } from '../view/bounds.ts';
import { decodeRange } from '../view/cleared.ts';
import { shownKey } from '../view/duplicate-key.ts';
import { Expiry } from '../view/expiry.ts';
import type { OnExisting } from '../view/run-slice.ts';
import { Run, Segment, type SegmentHandle } from '../view/segment.ts';

/** Crosses threads. */
export interface ExistingJob {
  /** Newest run first. */
  readonly runs: readonly (readonly SegmentHandle[])[];
  /** Of each run the words of what was cleared of it (`view/cleared.ts`). */
  readonly cleared: readonly (readonly Uint32Array[])[];
  /** By when rows have expired. */
  readonly nowMs: number;
  readonly onExisting: OnExisting;
}

export class ExistingRows {
  readonly #schema: Schema;
  readonly #expiry: Expiry | null;
  readonly #nowMs: number;
  readonly #runs: readonly Run[];
  readonly #onExisting: OnExisting;
  /** How many of the rows that were asked for are there. */
  found = 0;

  private constructor(schema: Schema, { runs, cleared, nowMs, onExisting }: ExistingJob) {
    this.#schema = schema;
    this.#expiry = Expiry.of(schema);
    this.#nowMs = nowMs;
    this.#onExisting = onExisting;
    this.#runs = runs.map((run, i) => {
      const segments = run.map((handle) => new Segment(handle, schema.key));
      return new Run(
        segments,
        cleared[i].map((words) => decodeRange(words, schema.key)),
      );
    });
  }

  /** Null where there are none to look for. */
  static of(schema: Schema, job: ExistingJob | null): ExistingRows | null {
    return job === null || job.runs.length === 0 ? null : new ExistingRows(schema, job);
  }

  /** Whether a row of that key is there, and stays. @throws OMEN_KEY_EXISTS where none may be */
  has(hi: number, lo: number, bytes: KeyBytes | null): boolean {
    if (!this.#isThere(hi, lo, bytes)) return false;
    if (this.#onExisting === 'error') throw keyExists(this.#schema, { hi, lo, bytes });
    this.found++;
    return true;
  }

  #isThere(hi: number, lo: number, bytes: KeyBytes | null): boolean {
    const { key } = this.#schema;
    const number = bytes === null ? sortableToNumber(key, hi, lo) : 0;
    const hash = bytes === null ? 0 : hashBytes(bytes.memory, bytes.start, bytes.end);
    for (const run of this.#runs) {
      const segment = run.only ?? run.segmentFor(hi, lo, bytes);
      if (segment === null) continue;
      const row = bytes === null ? segment.find(hi, lo, number) : segment.findBytes(bytes, hash);
      if (row < 0) continue;
      // What is older of the key is hidden by it, or was cleared with it.
      if (segment.isDeleted(row) || run.clears(hi, lo, bytes)) return false;
      return this.#expiry === null || this.#expiry.at(segment, row) > this.#nowMs;
    }
    return false;
  }
}

function keyExists({ key }: Schema, found: Bound): OmenError {
  return new OmenError(
    'OMEN_KEY_EXISTS',
    `The database has the key ${shownKey(key, found)} already, and "onExisting" is "error". Nothing was loaded.`,
  );
}
