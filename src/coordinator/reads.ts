/**
 * The reads that a database and a snapshot have in common: all but those of single keys. They differ in
 * what they read (`Source`): what there is now, or what there was at one instant.
 */
import { OmenError } from '../errors.ts';
import { show } from '../schema/show.ts';
import { greatestBound, leastBound } from '../view/bounds.ts';
import { givenTime } from '../view/expiry.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import { type AggregateRun, aggregate } from './aggregate.ts';
import {
  type AggregateOptions,
  type AggregateResult,
  type AggregateSpec,
  parseAggregate,
} from './aggregate-spec.ts';
import { AGGREGATE, GET_MANY, ORDERED } from './client-meter.ts';
import { type ColumnsFound, columnsOf } from './columns.ts';
import {
  ceilEntry,
  countRows,
  entryWithRank,
  floorEntry,
  rankOf,
  type Source,
} from './ordered-reads.ts';
import { type IterateOptions, parseIteration, type RangeOptions } from './range.ts';
import type { Reader } from './reader.ts';
import { entryAt, keyAt, RowIterator, type RowRead, valueAt } from './row-iterator.ts';
import type { Closable, Rows } from './rows.ts';
import { parseFields, Scan, throwIfAborted } from './scan.ts';
import { type FieldOf, narrowed, parseWhere } from './where.ts';

export interface ScanOptions<KeyInput = unknown, RowInput = unknown>
  extends IterateOptions<KeyInput, RowInput> {
  /** The fields of the batches, in this order, `key` among them where it is wanted. */
  readonly columns?: readonly string[];
  /** Whether rows come in key order (the default); else each shard's do, shard after shard. */
  readonly ordered?: boolean;
  /** Aborts between batches. */
  readonly signal?: AbortSignal;
}

export abstract class Reads<Key, Row, KeyInput, RowInput> {
  /** What is read. */
  protected abstract readonly source: Source;
  /** The reader of this thread. */
  protected abstract readonly reader: Reader;
  /** What is closed when these reads are over. */
  protected abstract readonly owner: Closable;
  /** The instant that is read; null: now. */
  protected abstract readonly captured: readonly ShardSnapshot[] | null;

  /**
   * The rows of many keys, in their order; undefined where there is none. With `columns`, the values
   * of those columns as one array each (`ColumnsFound`), and which keys were found. Many keys at once
   * cost a fraction of as many look-ups: memory is waited for once for many of them.
   * @param keys any iterable; an array or a typed array is quickest
   * @throws as `get`, and nothing is returned then; OMEN_UNKNOWN_COLUMN
   */
  getMany(keys: Iterable<KeyInput>): (Row | undefined)[];
  getMany<Name extends string>(
    keys: Iterable<KeyInput>,
    options: { readonly columns: readonly Name[] },
  ): ColumnsFound<Name>;
  getMany(
    keys: Iterable<KeyInput>,
    options?: { readonly columns: readonly string[] },
  ): (Row | undefined)[] | ColumnsFound {
    this.owner.throwIfClosed();
    const { source, reader, captured } = this;
    const list = isIndexed(keys) ? keys : [...keys];
    const { meter } = reader;
    const startMs = meter.begin(GET_MANY);
    const found =
      options === undefined
        ? (reader.getMany(list, captured, source) as (Row | undefined)[])
        : columnsOf(
            reader.findMany(list, captured, source),
            source.readers,
            options.columns,
            source.key.bigints,
          );
    meter.end(GET_MANY, startMs);
    meter.rows(GET_MANY, list.length);
    return found;
  }

  /**
   * When the row of a key expires, in milliseconds since 1970; null: never; undefined where there is no
   * row.
   * @throws as `get`
   */
  expiresAt(key: KeyInput): number | null | undefined {
    this.owner.throwIfClosed();
    const found = this.reader.locate(key, this.captured, this.source);
    return found === null ? undefined : givenTime(found.expiresMs);
  }

  /** The last entry whose key is <= the given one, or undefined. */
  floor(key: KeyInput): [Key, Row] | undefined {
    const source = this.#encoded(key);
    return this.#ordered(() => floorEntry(source, source.key)) as [Key, Row] | undefined;
  }

  /** The first entry whose key is >= the given one, or undefined. */
  ceil(key: KeyInput): [Key, Row] | undefined {
    const source = this.#encoded(key);
    return this.#ordered(() => ceilEntry(source, source.key)) as [Key, Row] | undefined;
  }

  /** The entry with the smallest key, or undefined. */
  first(): [Key, Row] | undefined {
    this.owner.throwIfClosed();
    const { source } = this;
    const bound = leastBound(source.key.type);
    return this.#ordered(() => ceilEntry(source, bound)) as [Key, Row] | undefined;
  }

  /** The entry with the largest key, or undefined. */
  last(): [Key, Row] | undefined {
    this.owner.throwIfClosed();
    const { source } = this;
    const bound = greatestBound(source.key.type);
    return this.#ordered(() => floorEntry(source, bound)) as [Key, Row] | undefined;
  }

  /**
   * The number of rows whose key is < the given one. A look-up a shard where each is one run without
   * deleted rows, as `compact` leaves it; elsewhere the time of a walk over what is newer than the
   * shard's largest run, or over all rows where that is not by far the largest part.
   */
  rank(key: KeyInput): number {
    const source = this.#encoded(key);
    return this.#ordered(() => rankOf(source, source.key));
  }

  /**
   * The entry of that rank: `at(0)` is `first()`; undefined beyond the end. A few times what `rank`
   * takes.
   * @throws OMEN_INVALID_RANGE unless the rank is a whole number, not negative
   */
  at(rank: number): [Key, Row] | undefined {
    this.owner.throwIfClosed();
    if (!Number.isSafeInteger(rank) || rank < 0) {
      const message = `A rank is a whole number of rows, not negative: ${show(rank)} is none.`;
      throw new OmenError('OMEN_INVALID_RANGE', message);
    }
    return this.#ordered(() => entryWithRank(this.source, rank)) as [Key, Row] | undefined;
  }

  /** Counts and times a read that goes by the order of keys. */
  #ordered<T>(read: () => T): T {
    const { meter } = this.reader;
    const startMs = meter.begin(ORDERED);
    const found = read();
    meter.end(ORDERED, startMs);
    return found;
  }

  /** What is read, its codec holding the key. */
  #encoded(key: KeyInput): Source {
    this.owner.throwIfClosed();
    this.source.key.encode(key);
    return this.source;
  }

  /** Entries of a range in key order, from one snapshot: a synchronous iterator. */
  entries(range?: IterateOptions<KeyInput, RowInput>): Rows<[Key, Row]> {
    return this.#iterate(range, entryAt as RowRead<[Key, Row]>);
  }

  keys(range?: IterateOptions<KeyInput, RowInput>): Rows<Key> {
    return this.#iterate(range, keyAt as RowRead<Key>);
  }

  values(range?: IterateOptions<KeyInput, RowInput>): Rows<Row> {
    return this.#iterate(range, valueAt as RowRead<Row>);
  }

  /** Checks at once; the snapshot is taken at the first step. */
  #iterate<T>(
    range: IterateOptions<KeyInput, RowInput> | undefined,
    read: RowRead<T>,
  ): RowIterator<T> {
    const { source, owner } = this;
    owner.throwIfClosed();
    const { schema } = source.readers;
    const iteration = parseIteration(range, source.key, ['where']);
    const filter = parseWhere(schema, range?.where);
    const rows = { iteration: narrowed(iteration, filter, schema.key), filter };
    return new RowIterator(owner, source, rows, read, this.reader.meter);
  }

  /**
   * Rows of a range as Arrow record batches, from one snapshot. Their first field is `key`, unless
   * `columns` says otherwise. A range of any length takes the memory of a batch.
   * @throws OMEN_INVALID_RANGE, OMEN_INVALID_WHERE, OMEN_UNKNOWN_COLUMN at once; OMEN_ABORTED, OMEN_CLOSED from the iterator
   */
  scan(range?: ScanOptions<KeyInput, RowInput>): Scan {
    const { source, owner } = this;
    owner.throwIfClosed();
    const { schema } = source.readers;
    const known = ['where', 'columns', 'ordered', 'signal'];
    const iteration = parseIteration(range, source.key, known);
    const filter = parseWhere(schema, range?.where);
    return new Scan({
      schema,
      iteration: narrowed(iteration, filter, schema.key),
      filter,
      fields: parseFields(schema, range?.columns),
      together: parseOrdered(range?.ordered) && !source.isByRange,
      meter: this.reader.meter,
      capture: () => source.capture(),
      throwIfOver() {
        owner.throwIfClosed();
        throwIfAborted(range?.signal);
      },
    });
  }

  /**
   * Figures of the rows of a range, from one snapshot: one row of them, or a row for each group. Computed
   * in threads of their own, if there is much to read.
   *
   * Sums of integers are exact, as bigints. `distinct` is exact up to 4,096 values, beyond with a
   * standard error of 0.81 %. `quantile` is within 0.5 % of the value. A NaN makes sums, means and
   * variances NaN; `min`, `max` and `quantile` pass over it. Of no values a count is 0, a sum is 0, and
   * everything else null.
   * @throws rejects with OMEN_INVALID_RANGE, OMEN_INVALID_WHERE, OMEN_INVALID_AGGREGATE,
   *   OMEN_UNKNOWN_COLUMN, OMEN_UNSAFE_INTEGER, OMEN_ABORTED, OMEN_CLOSED
   */
  async aggregate<
    const Options extends AggregateOptions<KeyInput, RowInput, FieldOf<RowInput>>,
    const Spec extends AggregateSpec<FieldOf<RowInput>>,
  >(range: Options, spec: Spec): Promise<AggregateResult<Options, Spec>> {
    const { source, reader, owner } = this;
    owner.throwIfClosed();
    const { schema } = source.readers;
    const known = ['where', 'groupBy', 'bucket', 'signal'];
    const iteration = parseIteration(range, source.key, known, ['reverse', 'limit']);
    const filter = parseWhere(schema, range?.where);
    const run: AggregateRun = {
      schema,
      bigints: source.key.bigints,
      iteration: narrowed(iteration, filter, schema.key),
      filter,
      asked: parseAggregate(schema, spec, range ?? {}),
      groupBy: range?.groupBy,
      control: reader.control,
      pool: reader.aggregates,
      capture: () => source.capture(),
      throwIfOver() {
        owner.throwIfClosed();
        throwIfAborted(range?.signal);
      },
    };
    const found = await reader.meter.run(AGGREGATE, () => aggregate(run));
    return found as AggregateResult<Options, Spec>;
  }

  /** The number of rows in a range. */
  count(range?: RangeOptions): number {
    this.owner.throwIfClosed();
    const { source } = this;
    const iteration = parseIteration(range, source.key);
    return this.#ordered(() => countRows(source, iteration));
  }
}

/** Whether the elements can be asked for by number, without an iterator. */
function isIndexed<T>(keys: Iterable<T>): keys is Iterable<T> & ArrayLike<T> {
  return Array.isArray(keys) || ArrayBuffer.isView(keys);
}

function parseOrdered(ordered: unknown = true): boolean {
  if (typeof ordered === 'boolean') return ordered;
  throw new OmenError('OMEN_INVALID_RANGE', '"ordered" is true or false.');
}
