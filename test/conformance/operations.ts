/**
 * What the suite does to a database, as plain data: it prints, replays, shrinks, and crosses threads
 * to a client that attached there.
 */
import { isDeepStrictEqual } from 'node:util';
import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import {
  type Condition,
  type Database,
  type ExpiryOptions,
  type IterateOptions,
  OmenError,
  type OpenOptions,
  type RangeOptions,
  type Snapshot,
} from '../../src/index.ts';
import { setTime, timeOf } from './clock.ts';

/** Besides what the database takes: that there is what was read just before, which always holds. */
export type Asked = Condition | 'as read';

export type Write =
  | {
      readonly op: 'put';
      readonly key: unknown;
      readonly row: unknown;
      readonly if?: Asked;
      readonly until?: ExpiryOptions;
    }
  | { readonly op: 'del'; readonly key: unknown; readonly if?: Asked }
  | { readonly op: 'batch'; readonly writes: readonly SingleWrite[] }
  | { readonly op: 'clear'; readonly range: RangeOptions };
export type SingleWrite = Extract<Write, { op: 'put' | 'del' }>;

export type Read =
  | {
      readonly op: 'get' | 'has' | 'floor' | 'ceil' | 'rank' | 'expiresAt' | 'explain';
      readonly key: unknown;
    }
  | { readonly op: 'getMany'; readonly keys: readonly unknown[] }
  | { readonly op: 'first' | 'last' }
  | { readonly op: 'at'; readonly rank: number }
  | {
      readonly op: 'entries' | 'keys' | 'values' | 'scan' | 'stream';
      readonly range: IterateOptions;
    }
  | { readonly op: 'count' | 'aggregate'; readonly range: RangeOptions };

export type Operation =
  | Write
  | Read
  | Wait
  | { readonly op: 'flush' | 'compact' | 'reopen' }
  /** An iterator that has made its first step; then writes; then the rest of its steps. */
  | {
      readonly op: 'iterator';
      readonly range: IterateOptions;
      readonly during: readonly Disturbance[];
    }
  /** A snapshot; then writes; then reads of it. */
  | {
      readonly op: 'snapshot';
      readonly during: readonly Disturbance[];
      readonly reads: readonly SnapshotRead[];
    };

/** Time passes, where rows expire. */
export type Wait = { readonly op: 'wait'; readonly ms: number };
export type Disturbance = Write | Wait | { readonly op: 'flush' | 'compact' };
export type SnapshotRead = Exclude<Read, { op: 'explain' }> & {
  readonly op: Exclude<Read['op'], 'explain'>;
};

/** The options that decide in what form rows come back. */
export type Form = Pick<OpenOptions, 'key' | 'columns' | 'value' | 'ttl' | 'bigints'>;

/** What a write answers whose condition does not hold. */
export const FAILED = 'a condition failed';

function conditionOf(db: Database, { key, if: asked }: SingleWrite): { if?: Condition } {
  if (asked === undefined) return {};
  if (asked !== 'as read') return { if: asked };
  const row = db.get(key);
  return { if: row === undefined ? 'absent' : { equals: row } };
}

async function write(db: Database, operation: Write): Promise<unknown> {
  try {
    if (operation.op === 'put') {
      const { key, row } = operation;
      const { until } = operation;
      if (operation.if === undefined && until === undefined) await db.put(key, row);
      else await db.put(key, row, { ...conditionOf(db, operation), ...until });
    } else if (operation.op === 'del') {
      if (operation.if === undefined) await db.del(operation.key);
      else await db.del(operation.key, conditionOf(db, operation));
    } else if (operation.op === 'clear') {
      await db.clear(operation.range);
    } else {
      await db.batch(
        operation.writes.map((single) => {
          const { key } = single;
          const condition = conditionOf(db, single);
          if (single.op === 'del') return { type: 'del', key, ...condition };
          return { type: 'put', key, value: single.row, ...condition, ...single.until };
        }),
      );
    }
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CONDITION_FAILED') return FAILED;
    throw error;
  }
}

/** Does one operation. What comes back is plain data. */
export async function perform(db: Database, form: Form, operation: Operation): Promise<unknown> {
  switch (operation.op) {
    case 'put':
    case 'del':
    case 'batch':
    case 'clear':
      return write(db, operation);
    case 'explain':
      return db.explain(operation.key).found === 'row';
    case 'wait':
      return setTime(db, timeOf(db) + operation.ms);
    case 'flush':
    case 'compact':
      return db[operation.op]();
    case 'iterator': {
      const iterator = db.entries(operation.range);
      const first = iterator.next();
      for (const write of operation.during) await perform(db, form, write);
      return first.done ? [] : [first.value, ...iterator];
    }
    case 'snapshot': {
      using snapshot = db.snapshot();
      for (const write of operation.during) await perform(db, form, write);
      const answers: unknown[] = [];
      for (const one of operation.reads) answers.push(await read(snapshot, form, one));
      return answers;
    }
    case 'reopen':
      throw new Error('Whoever opened the database reopens it.');
    default:
      return read(db, form, operation as SnapshotRead);
  }
}

type Readable = Database | Snapshot<unknown, unknown, unknown, unknown>;

async function read(db: Readable, form: Form, operation: SnapshotRead): Promise<unknown> {
  switch (operation.op) {
    case 'get':
    case 'has':
    case 'floor':
    case 'ceil':
    case 'rank':
    case 'expiresAt':
      return db[operation.op](operation.key);
    case 'at':
      return db.at(operation.rank);
    case 'getMany':
      return db.getMany(operation.keys);
    case 'first':
    case 'last':
      return db[operation.op]();
    case 'entries':
    case 'keys':
    case 'values':
      return [...db[operation.op](operation.range)];
    case 'count':
      return db.count(operation.range);
    case 'aggregate':
      return db.aggregate(operation.range, { rows: 'count', keys: ['distinct', 'key'] });
    case 'scan':
      return scanRows(db.scan(operation.range), form);
    case 'stream': {
      const bytes = await new Response(db.scan(operation.range).toIPC()).bytes();
      return scanRows(tableFromIPC(bytes).batches, form);
    }
  }
}

/** The rows of a scan, in the form in which `entries` gives them. */
async function scanRows(
  batches: AsyncIterable<RecordBatch> | readonly RecordBatch[],
  form: Form,
): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const batch of batches) {
    const names = batch.schema.fields.map((field) => field.name);
    for (let i = 0; i < batch.numRows; i++) {
      const [key, ...values] = names.map((_, column) => batch.getChildAt(column)?.get(i));
      rows.push([keyFromArrow(form, key), rowFromArrow(form, names.slice(1), values)]);
    }
  }
  return rows;
}

function keyFromArrow(form: Form, key: unknown): unknown {
  if (key instanceof Uint8Array) return new Uint8Array(key);
  return typeof key === 'bigint' && form.bigints !== true ? Number(key) : key;
}

function rowFromArrow(form: Form, names: readonly string[], values: readonly unknown[]): unknown {
  if (form.value === 'json') return JSON.parse(String(values[0]));
  if (form.value !== undefined) return valueFromArrow(form, values[0]);
  return Object.fromEntries(names.map((name, i) => [name, valueFromArrow(form, values[i])]));
}

function valueFromArrow(form: Form, value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return typeof value === 'bigint' && form.bigints !== true ? Number(value) : value;
}

/** Equal as a caller sees it: same values, same types, −0 not 0, NaN is NaN. */
export function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}
