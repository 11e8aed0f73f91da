/**
 * Aggregates over blocks of rows, a column at a time; where a whole page of a settled run belongs to one
 * group, its statistics stand for it and it is not read. What comes out is plain data, and merges.
 */
import { layoutRow } from '../schema/row.ts';
import { type ColumnType, isVariable, type KeyType, type Schema } from '../schema/schema.ts';
import {
  addDistinct,
  addPage,
  addToSketch,
  addValue,
  type Distinct,
  type Moments,
  mergeDistinct,
  mergeMoments,
  mergeSketches,
  newDistinct,
  newMoments,
  newSketch,
  type Primitive,
  type Sketch,
} from './aggregate-state.ts';
import { integersOf, keyValue, numbersOf, textOf } from './filter.ts';
import { groupsOf, KEY, type Group as SourceGroup } from './gather.ts';
import type { Block, RowBlocks, Stretch } from './row-blocks.ts';
import { Segment } from './segment.ts';
import {
  MAX,
  MIN,
  NANS,
  PAGE_NUMBERS,
  PRESENT,
  pageAt,
  SPREAD,
  STATISTICS_ROWS,
  SUM,
  summarize,
} from './statistics.ts';

/** What is wanted of one column. */
export interface ColumnWanted {
  /** Its number, or KEY. */
  readonly column: number;
  /** Count, sum, bounds, mean and spread; of columns of numbers only, of others just the count. */
  readonly moments: boolean;
  readonly distinct: boolean;
  readonly quantiles: boolean;
}

export interface AggregatePlan {
  readonly columns: readonly ColumnWanted[];
  /** The column whose values make groups, or null. */
  readonly groupBy: number | null;
  /** The width of the stretches of a timestamp key that make groups, in milliseconds, or null. */
  readonly bucketMs: number | null;
}

export interface ColumnState {
  readonly moments: Moments;
  readonly distinct: Distinct | null;
  readonly sketch: Sketch | null;
}

export interface GroupState {
  rows: number;
  readonly columns: readonly ColumnState[];
}

/** By the start of the bucket (0 where there are none), then by value (null: nulls, or no grouping). */
export type Groups = Map<number, Map<Primitive | null, GroupState>>;

const BLOCK_ROWS = 65_536;
/** Integers that lie so close together are found in a table. */
const TABLE_MAX = 65_536;

/** The groups among some rows, and of each row which of them. */
interface Grouped {
  readonly ids: Uint32Array;
  readonly states: readonly GroupState[];
}

/** Whether statistics say all that is wanted, so that whole pages need not be read. */
export function isPageable({ columns, groupBy }: AggregatePlan): boolean {
  return (
    groupBy === null &&
    columns.every(({ column, distinct, quantiles }) => column !== KEY && !distinct && !quantiles)
  );
}

export function aggregateBlocks(schema: Schema, plan: AggregatePlan, blocks: RowBlocks): Groups {
  const aggregator = new Aggregator(schema, plan);
  for (let block = blocks.next(BLOCK_ROWS); block !== null; block = blocks.next(BLOCK_ROWS)) {
    aggregator.add(block);
  }
  return aggregator.groups;
}

export function mergeGroups(schema: Schema, plan: AggregatePlan, to: Groups, from: Groups): void {
  for (const [bucket, values] of from) {
    for (const [value, state] of values) {
      const mine = groupOf(plan, to, bucket, value);
      mine.rows += state.rows;
      for (const [i, { moments, distinct, sketch }] of state.columns.entries()) {
        const own = mine.columns[i];
        mergeMoments(own.moments, moments, isInteger(typeOf(schema, plan.columns[i].column)));
        if (own.distinct !== null && distinct !== null) mergeDistinct(own.distinct, distinct);
        if (own.sketch !== null && sketch !== null) mergeSketches(own.sketch, sketch);
      }
    }
  }
}

export function groupOf(
  plan: AggregatePlan,
  groups: Groups,
  bucket: number,
  value: Primitive | null,
): GroupState {
  let values = groups.get(bucket);
  if (values === undefined) {
    values = new Map();
    groups.set(bucket, values);
  }
  let state = values.get(value);
  if (state === undefined) {
    state = {
      rows: 0,
      columns: plan.columns.map(({ distinct, quantiles }) => ({
        moments: newMoments(),
        distinct: distinct ? newDistinct() : null,
        sketch: quantiles ? newSketch() : null,
      })),
    };
    values.set(value, state);
  }
  return state;
}

export function typeOf(schema: Schema, column: number): ColumnType | KeyType {
  return column === KEY ? schema.key : schema.columns[column].type;
}

export function isInteger(type: ColumnType | KeyType): boolean {
  return type === 'int32' || type === 'int64' || type === 'uint64' || type === 'timestamp';
}

export function isNumeric(type: ColumnType | KeyType): boolean {
  return !isVariable(type) && type !== 'bool';
}

class Aggregator {
  readonly groups: Groups = new Map();
  readonly #schema: Schema;
  readonly #plan: AggregatePlan;
  readonly #isPageable: boolean;
  readonly #page = new Float64Array(PAGE_NUMBERS);

  constructor(schema: Schema, plan: AggregatePlan) {
    this.#schema = schema;
    this.#plan = plan;
    this.#isPageable = isPageable(plan);
  }

  add(block: Block): void {
    const { groupBy, bucketMs } = this.#plan;
    if (groupBy !== null || (bucketMs !== null && block.segment === null)) {
      for (const group of groupsOf(block)) this.#addByGroup(group);
    } else if (block.segment === null) {
      const state = groupOf(this.#plan, this.groups, 0, null);
      for (const group of groupsOf(block)) this.#addWhole(state, group);
    } else if (bucketMs === null) {
      this.#addStretch(groupOf(this.#plan, this.groups, 0, null), block);
    } else {
      this.#addBuckets(block, bucketMs);
    }
  }

  /** Rows in key order are in the order of their buckets. */
  #addBuckets({ segment, start, count }: Stretch, bucketMs: number): void {
    const end = start + count;
    for (let from = start; from < end; ) {
      const bucket = Math.floor(segment.number(from) / bucketMs) * bucketMs;
      let [low, high] = [from + 1, end];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (segment.number(middle) < bucket + bucketMs) low = middle + 1;
        else high = middle;
      }
      const state = groupOf(this.#plan, this.groups, bucket, null);
      this.#addStretch(state, { segment, start: from, count: low - from });
      from = low;
    }
  }

  /** Rows of one group that follow each other: whole pages by their statistics. */
  #addStretch(state: GroupState, { segment, start, count }: Stretch): void {
    const end = start + count;
    for (let from = start; from < end; ) {
      const page = Math.floor(from / STATISTICS_ROWS);
      const pageEnd = Math.min(segment.rows, (page + 1) * STATISTICS_ROWS);
      const to = Math.min(end, pageEnd);
      const isWhole = from === page * STATISTICS_ROWS && to === pageEnd;
      if (!isWhole || !this.#isPageable || !this.#addPage(state, segment, page, to - from)) {
        const stretch = { segment, start: from, count: to - from };
        for (const group of groupsOf(stretch)) this.#addWhole(state, group);
      }
      from = to;
    }
  }

  /** False where the statistics of some column are not exact. */
  #addPage(state: GroupState, segment: Segment, page: number, rows: number): boolean {
    const { columns } = this.#plan;
    const { statistics } = segment;
    const schema = this.#schema;
    const isExact = columns.every(({ column, moments }) => {
      const at = pageAt(segment.rows, column, page);
      return !moments || isKnown(typeOf(schema, column), statistics, at);
    });
    if (!isExact) return false;
    state.rows += rows;
    for (const [i, { column }] of columns.entries()) {
      const at = pageAt(segment.rows, column, page);
      addNumbers(state.columns[i].moments, typeOf(schema, column), statistics, at);
    }
    return true;
  }

  /** Rows of one group. */
  #addWhole(state: GroupState, group: SourceGroup): void {
    state.rows += group.count;
    for (const [i, wanted] of this.#plan.columns.entries()) {
      const { moments, distinct, sketch } = state.columns[i];
      const type = typeOf(this.#schema, wanted.column);
      if (distinct !== null || !isNumeric(type)) {
        const valueAt = primitivesOf(this.#schema, wanted.column, group);
        let present = 0;
        for (let row = 0; row < group.count; row++) {
          const value = valueAt(row);
          if (value === null) continue;
          present++;
          if (distinct !== null) addDistinct(distinct, value);
        }
        if (!isNumeric(type)) moments.count += present;
      }
      if (!isNumeric(type) || !(wanted.moments || wanted.quantiles)) continue;
      const { numbers, isSafe } = numbersAt(this.#schema, wanted.column, group);
      const isNull = nullsOf(this.#schema, wanted.column, group);
      const count = isNull === null ? group.count : compact(numbers, isNull);
      if (sketch !== null) for (let row = 0; row < count; row++) addToSketch(sketch, numbers[row]);
      if (!isSafe && isInteger(type)) {
        const valueAt = primitivesOf(this.#schema, wanted.column, group);
        for (let row = 0; row < group.count; row++) {
          const value = valueAt(row);
          if (value !== null) addValue(moments, value as number | bigint, true);
        }
        continue;
      }
      for (let from = 0; from < count; from += STATISTICS_ROWS) {
        const part = numbers.subarray(from, Math.min(count, from + STATISTICS_ROWS));
        this.#page[PRESENT] = part.length;
        summarize(type, this.#page, 0, part, part.length);
        addNumbers(moments, type, this.#page, 0);
      }
    }
  }

  /** Rows of several groups: the figures of each within these rows first, then those are merged. */
  #addByGroup(rows: SourceGroup): void {
    const { ids, states } = this.#idsOfIntegers(rows) ?? this.#idsOf(rows);
    for (let row = 0; row < rows.count; row++) states[ids[row]].rows++;
    for (const [c, { column, moments }] of this.#plan.columns.entries()) {
      const type = typeOf(this.#schema, column);
      const { distinct, sketch } = states[0].columns[c];
      if (distinct !== null || sketch !== null || !isNumeric(type)) {
        const valueAt = primitivesOf(this.#schema, column, rows);
        for (let row = 0; row < rows.count; row++) {
          const value = valueAt(row);
          if (value === null) continue;
          const state = states[ids[row]].columns[c];
          if (!isNumeric(type)) state.moments.count++;
          if (state.distinct !== null) addDistinct(state.distinct, value);
          if (state.sketch !== null) addToSketch(state.sketch, Number(value));
        }
      }
      if (moments && isNumeric(type)) this.#addMoments(rows, ids, states, c);
    }
  }

  #addMoments(rows: SourceGroup, ids: Uint32Array, states: readonly GroupState[], c: number): void {
    const { column } = this.#plan.columns[c];
    const schema = this.#schema;
    const isWhole = isInteger(typeOf(schema, column));
    const isNull = nullsOf(schema, column, rows);
    const { numbers, isSafe } = numbersAt(schema, column, rows);
    if (!isSafe) {
      const valueAt = primitivesOf(schema, column, rows);
      for (let row = 0; row < rows.count; row++) {
        const value = valueAt(row);
        if (value === null) continue;
        addValue(states[ids[row]].columns[c].moments, value as number | bigint, true);
      }
      return;
    }
    const groups = states.length;
    const counts = new Float64Array(groups);
    const nans = new Float64Array(groups);
    const sums = new Float64Array(groups);
    const mins = new Float64Array(groups).fill(Number.POSITIVE_INFINITY);
    const maxs = new Float64Array(groups).fill(Number.NEGATIVE_INFINITY);
    for (let row = 0; row < rows.count; row++) {
      if (isNull?.(row)) continue;
      const id = ids[row];
      const value = numbers[row];
      counts[id]++;
      if (Number.isNaN(value)) {
        nans[id]++;
        continue;
      }
      sums[id] += value;
      if (value < mins[id]) mins[id] = value;
      if (value > maxs[id]) maxs[id] = value;
    }
    const means = sums.map((sum, id) => {
      const count = counts[id] - nans[id];
      return (sum - count * mins[id]) / count;
    });
    const spreads = new Float64Array(groups);
    for (let row = 0; row < rows.count; row++) {
      if (isNull?.(row) || Number.isNaN(numbers[row])) continue;
      const id = ids[row];
      const difference = numbers[row] - mins[id] - means[id];
      spreads[id] += difference * difference;
    }
    for (let id = 0; id < groups; id++) {
      const [count, min, max, sum] = [counts[id], mins[id], maxs[id], sums[id]];
      const page = { count, nans: nans[id], min, max, sum, spread: spreads[id] };
      if (count > 0) addPage(states[id].columns[c].moments, page, isWhole);
    }
  }

  /** As `#idsOf`, where rows are grouped by integers that lie close together; null where they do not. */
  #idsOfIntegers(rows: SourceGroup): Grouped | null {
    const { groupBy, bucketMs } = this.#plan;
    if (groupBy === null || groupBy === KEY || bucketMs !== null) return null;
    const { type, nullable } = this.#schema.columns[groupBy];
    if (type !== 'int32' || nullable || rows.count === 0) return null;
    const { numbers } = numbersAt(this.#schema, groupBy, rows);
    let [min, max] = [numbers[0], numbers[0]];
    for (let row = 1; row < rows.count; row++) {
      min = Math.min(min, numbers[row]);
      max = Math.max(max, numbers[row]);
    }
    if (max - min >= TABLE_MAX) return null;
    const known = new Int32Array(max - min + 1).fill(-1);
    const ids = new Uint32Array(rows.count);
    const states: GroupState[] = [];
    for (let row = 0; row < rows.count; row++) {
      const at = numbers[row] - min;
      if (known[at] < 0) {
        known[at] = states.push(groupOf(this.#plan, this.groups, 0, numbers[row])) - 1;
      }
      ids[row] = known[at];
    }
    return { ids, states };
  }

  /** The groups there are among some rows, and of each row which of them. */
  #idsOf(rows: SourceGroup): Grouped {
    const { groupBy, bucketMs } = this.#plan;
    const ids = new Uint32Array(rows.count);
    const states: GroupState[] = [];
    const known = new Map<number, Map<Primitive | null, number>>();
    const timeAt = bucketMs === null ? null : primitivesOf(this.#schema, KEY, rows);
    const valueAt = groupBy === null ? null : primitivesOf(this.#schema, groupBy, rows);
    let values = new Map<Primitive | null, number>();
    let bucket = Number.NaN;
    for (let row = 0; row < rows.count; row++) {
      const start =
        timeAt === null || bucketMs === null
          ? 0
          : Math.floor(Number(timeAt(row)) / bucketMs) * bucketMs;
      if (start !== bucket) {
        bucket = start;
        values = known.get(start) ?? new Map();
        known.set(start, values);
      }
      const value = valueAt === null ? null : valueAt(row);
      let id = values.get(value);
      if (id === undefined) {
        id = states.push(groupOf(this.#plan, this.groups, start, value)) - 1;
        values.set(value, id);
      }
      ids[row] = id;
    }
    return { ids, states };
  }
}

/** Whether the numbers of a page say exactly what its values do. */
function isKnown(type: ColumnType | KeyType, numbers: Float64Array, at: number): boolean {
  if (!isInteger(type) || numbers[at + PRESENT] === 0) return true;
  return (
    Number.isSafeInteger(numbers[at + SUM]) &&
    Number.isSafeInteger(numbers[at + MIN]) &&
    Number.isSafeInteger(numbers[at + MAX])
  );
}

function addNumbers(
  to: Moments,
  type: ColumnType | KeyType,
  numbers: Float64Array,
  at: number,
): void {
  if (!isNumeric(type)) {
    to.count += numbers[at + PRESENT];
    return;
  }
  const page = {
    count: numbers[at + PRESENT],
    nans: numbers[at + NANS],
    min: numbers[at + MIN],
    max: numbers[at + MAX],
    sum: numbers[at + SUM],
    spread: numbers[at + SPREAD],
  };
  addPage(to, page, isInteger(type));
}

/** Moves the numbers of rows that are not null together; returns how many there are. */
function compact(numbers: Float64Array, isNull: (i: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < numbers.length; i++) {
    numbers[count] = numbers[i];
    count += isNull(i) ? 0 : 1;
  }
  return count;
}

/**
 * The values of rows as numbers, anything where they are null; `isSafe` unless some integer is so large
 * that a sum of as many would not be exact.
 */
function numbersAt(
  schema: Schema,
  column: number,
  rows: SourceGroup,
): { readonly numbers: Float64Array; readonly isSafe: boolean } {
  const type = typeOf(schema, column);
  const { count, places } = rows;
  const numbers = new Float64Array(count);
  const isPlain = type === 'float64' || type === 'float32' || type === 'int32';
  if (column !== KEY && isPlain) {
    const { values, shift, slot } = numbersOf(schema, column, rows);
    for (let i = 0; i < count; i++) numbers[i] = values[(places[i] >>> shift) + slot];
    return { numbers, isSafe: true };
  }
  const valueAt = valuesOf(schema, column, rows);
  let greatest = 0;
  for (let i = 0; i < count; i++) {
    const number = Number(valueAt(i));
    numbers[i] = number;
    greatest = Math.max(greatest, Math.abs(number));
  }
  return { numbers, isSafe: !isInteger(type) || greatest * count <= Number.MAX_SAFE_INTEGER };
}

function nullsOf(
  schema: Schema,
  column: number,
  { source, rows, places }: SourceGroup,
): ((i: number) => boolean) | null {
  if (column === KEY || !schema.columns[column].nullable) return null;
  if (source instanceof Segment) {
    const { validity } = source.columns[column];
    return (i) => ((validity[rows[i] >>> 3] >>> (rows[i] & 7)) & 1) === 0;
  }
  const { u8 } = source.arena;
  return (i) => ((u8[places[i] + (column >>> 3)] >>> (column & 7)) & 1) === 1;
}

/** Reads values of a column or the key: bytes in latin1, integers beyond ±(2^53 − 1) as bigints. */
export function primitivesOf(
  schema: Schema,
  column: number,
  group: SourceGroup,
): (i: number) => Primitive | null {
  const isNull = nullsOf(schema, column, group);
  const valueAt = valuesOf(schema, column, group);
  return isNull === null ? valueAt : (i) => (isNull(i) ? null : valueAt(i));
}

function valuesOf(schema: Schema, column: number, group: SourceGroup): (i: number) => Primitive {
  const { source, rows, places } = group;
  const type = typeOf(schema, column);
  if (isVariable(type)) {
    const { memory, starts, ends } = textOf(schema, column, group);
    return (i) => memory.buffer.toString('latin1', starts[i], ends[i]);
  }
  if (column === KEY) {
    if (source instanceof Segment && source.form === 'f64') {
      const { keysF64 } = source;
      return (i) => keysF64[rows[i]];
    }
    return (i) => keyValue(schema.key, source.hi(rows[i]), source.lo(rows[i]));
  }
  if (type === 'int64' || type === 'timestamp') return integersOf(schema, column, group).value;
  if (type === 'bool') {
    const { u8 } = source instanceof Segment ? source.columns[column] : source.arena;
    if (source instanceof Segment) return (i) => ((u8[rows[i] >>> 3] >>> (rows[i] & 7)) & 1) === 1;
    const slot = layoutRow(schema).offsets[column];
    return (i) => u8[places[i] + slot] !== 0;
  }
  const { values, shift, slot } = numbersOf(schema, column, group);
  return (i) => values[(places[i] >>> shift) + slot];
}
