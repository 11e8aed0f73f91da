/**
 * The reader of a database whose rows may expire. The time is read once a call, before anything else:
 * whatever has expired by then is absent from then on, and what is found later was there after then.
 */
import type { Instant } from '../schema/decode.ts';
import type { Notice, WorkNotice } from '../shard-worker/notice.ts';
import type { Storage } from '../storage/storage.ts';
import type { KeyBatch } from '../view/batch-lookup.ts';
import type { Expiry } from '../view/expiry.ts';
import type { Run } from '../view/segment.ts';
import { rowOf, type ShardSnapshot } from '../view/shard-view.ts';
import type { ClientMeter } from './client-meter.ts';
import type { Membership } from './membership.ts';
import { Reader } from './reader.ts';
import type { Coding } from './text-coding.ts';

export class ExpiringReader extends Reader {
  /** What the decoders of `get` go by. */
  readonly #instant: Instant;
  readonly #expiry: Expiry;

  /** The parameters are those of a `Reader`. */
  constructor(
    membership: Membership,
    meter: ClientMeter,
    onNotice: (notice: Notice | WorkNotice) => void,
    storage: Storage,
  ) {
    const instant = { nowMs: 0 };
    super(membership, meter, onNotice, storage, instant);
    this.#instant = instant;
    const { expiry } = this.readers;
    if (expiry === null) throw new Error('The rows of this database do not expire.');
    this.#expiry = expiry;
  }

  override get nowMs(): number {
    return this.control.nowMs;
  }

  override get(key: unknown): unknown {
    this.#instant.nowMs = this.nowMs;
    return super.get(key);
  }

  override has(key: unknown): boolean {
    return this.locate(key, null) !== null;
  }

  override getIn(
    captured: readonly ShardSnapshot[] | null,
    key: unknown,
    decodes: boolean,
    coding: Coding = this,
  ): unknown {
    const found = this.locate(key, captured, coding);
    if (found === null) return undefined;
    return decodes ? rowOf(coding.readers, found.source, found.position) : true;
  }

  override findMany(
    keys: ArrayLike<unknown>,
    captured: readonly ShardSnapshot[] | null = null,
    coding: Coding = this,
  ): KeyBatch {
    const nowMs = captured === null ? this.nowMs : captured[0].nowMs;
    const batch = super.findMany(keys, captured, coding);
    batch.keep((source, position) => this.#expiry.at(source, position) > nowMs);
    return batch;
  }

  override getMany(
    keys: ArrayLike<unknown>,
    captured: readonly ShardSnapshot[] | null = null,
    coding: Coding = this,
  ): unknown[] {
    return this.findMany(keys, captured, coding).rows(coding.readers);
  }

  override settled(): readonly Run[] | null {
    const runs = super.settled();
    if (runs === null) return null;
    const { nowMs } = this;
    return runs.every((run) => this.#expiry.firstOf(run) > nowMs) ? runs : null;
  }
}
