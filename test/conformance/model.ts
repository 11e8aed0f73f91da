/** The model: a Map of everything there should be, sorted whenever order matters. */
import type { Comparisons, ExpiryOptions, IterateOptions } from '../../src/index.ts';
import { BEGINNING } from './clock.ts';
import {
  type Disturbance,
  FAILED,
  type Form,
  isSame,
  type Operation,
  type SingleWrite,
  type Write,
} from './operations.ts';

type Key = number | bigint | string | Uint8Array;
type Entry = [Key, unknown];
/** An entry, and when it expires. */
type Stored = readonly [...Entry, expiresMs: number];

interface Filter {
  readonly key?: Comparisons<unknown>;
  readonly not?: Filter;
  readonly or?: readonly Filter[];
}
type Filtered = Omit<IterateOptions, 'where'> & { readonly where?: unknown };

/** A key as the database gives it back. */
export function keyGiven(form: Form, key: unknown): Key {
  if (typeof key === 'string') return key;
  if (key instanceof Uint8Array) return new Uint8Array(key);
  const isInteger = form.key === 'int64' || form.key === 'uint64';
  if (key instanceof Date) return key.getTime();
  if (isInteger && form.bigints === true) return BigInt(key as number | bigint);
  return Number(key) + 0;
}

function valueGiven(form: Form, type: string, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (value instanceof Date) return value.getTime();
  if (type.startsWith('int64')) {
    return form.bigints === true ? BigInt(value as number | bigint) : Number(value);
  }
  return type.startsWith('float32') ? Math.fround(value as number) : value;
}

/** A row as the database gives it back. */
export function rowGiven(form: Form, row: unknown): unknown {
  if (form.value === 'json') return JSON.parse(JSON.stringify(row));
  if (form.value !== undefined) return row;
  const fields = row as Readonly<Record<string, unknown>>;
  const columns = Object.entries(form.columns ?? {});
  return Object.fromEntries(
    columns.map(([name, type]) => [name, valueGiven(form, type, fields[name])]),
  );
}

/** Negative, zero or positive, as one key comes before another: texts by their UTF-8 bytes. */
export function compareGiven(a: Key, b: Key): number {
  if (typeof a === 'string' || a instanceof Uint8Array) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b as typeof a & string));
  }
  const [x, y] = [a, b as typeof a];
  return x < y ? -1 : Number(x > y);
}

/** What a Map tells keys by: bytes that are equal are one key. */
function nameOf(key: Key): unknown {
  return key instanceof Uint8Array ? Buffer.from(key).toString('latin1') : key;
}

export class Model {
  readonly #form: Form;
  readonly #rows = new Map<unknown, Stored>();
  #nowMs = BEGINNING;

  constructor(form: Form) {
    this.#form = form;
  }

  /** All entries in key order. */
  get entries(): Entry[] {
    return [...this.#rows.values()]
      .filter((stored) => this.#isInForce(stored))
      .map(([key, row]): Entry => [key, row])
      .sort(([a], [b]) => compareGiven(a, b));
  }

  #isInForce([, , expiresMs]: Stored): boolean {
    return expiresMs > this.#nowMs;
  }

  /** Applies the operation and returns what the database must answer. */
  answer(operation: Operation): unknown {
    switch (operation.op) {
      case 'put':
      case 'del':
      case 'batch':
      case 'clear':
        return this.#write(operation);
      case 'get':
        return this.#get(operation.key);
      case 'getMany':
        return operation.keys.map((key) => this.#get(key));
      case 'has':
      case 'explain':
        return this.#stored(operation.key) !== undefined;
      case 'expiresAt': {
        const expiresMs = this.#stored(operation.key)?.[2];
        return expiresMs === Number.POSITIVE_INFINITY ? null : expiresMs;
      }
      case 'wait':
        this.#nowMs += operation.ms;
        return undefined;
      case 'floor':
        return this.#within({ lte: operation.key, reverse: true })[0];
      case 'ceil':
        return this.#within({ gte: operation.key })[0];
      case 'rank':
        return this.#within({ lt: operation.key }).length;
      case 'at':
        return this.entries[operation.rank];
      case 'first':
        return this.entries[0];
      case 'last':
        return this.entries.at(-1);
      case 'entries':
      case 'scan':
      case 'stream':
        return this.#within(operation.range);
      case 'keys':
        return this.#within(operation.range).map(([key]) => key);
      case 'values':
        return this.#within(operation.range).map(([, row]) => row);
      case 'count':
        return this.#within(operation.range).length;
      case 'aggregate': {
        const rows = this.#within(operation.range).length;
        return { rows, keys: rows };
      }
      case 'iterator': {
        const seen = this.#within(operation.range);
        this.#disturb(operation.during);
        return seen;
      }
      case 'snapshot': {
        const seen = operation.reads.map((read) => this.answer(read));
        this.#disturb(operation.during);
        return seen;
      }
      default:
        return undefined;
    }
  }

  #get(key: unknown): unknown {
    return this.#stored(key)?.[1];
  }

  #stored(key: unknown): Stored | undefined {
    const stored = this.#rows.get(nameOf(keyGiven(this.#form, key)));
    return stored !== undefined && this.#isInForce(stored) ? stored : undefined;
  }

  /** When a row expires that is written now. */
  #expiresMs({ ttl, expiresAt }: ExpiryOptions = {}): number {
    if (expiresAt !== undefined) return Number(expiresAt ?? Number.POSITIVE_INFINITY);
    const lives = ttl === undefined ? this.#form.ttl : ttl;
    return typeof lives === 'number' ? this.#nowMs + lives : Number.POSITIVE_INFINITY;
  }

  #disturb(during: readonly Disturbance[]): void {
    for (const one of during) this.answer(one);
  }

  #write(write: Write): unknown {
    if (write.op === 'clear') {
      for (const [key] of this.#within(write.range)) this.#rows.delete(nameOf(key));
      return undefined;
    }
    const writes = write.op === 'batch' ? write.writes : [write];
    if (!writes.every((single) => this.#holds(single))) return FAILED;
    for (const single of writes) this.#apply(single);
    return undefined;
  }

  #holds({ key, if: asked }: SingleWrite): boolean {
    if (asked === undefined || asked === 'as read') return true;
    const row = this.#get(key);
    if (typeof asked === 'string') return (row === undefined) === (asked === 'absent');
    return row !== undefined && isSame(row, rowGiven(this.#form, asked.equals));
  }

  #apply(write: SingleWrite): void {
    const key = keyGiven(this.#form, write.key);
    if (write.op === 'del') this.#rows.delete(nameOf(key));
    else {
      const row = rowGiven(this.#form, write.row);
      this.#rows.set(nameOf(key), [key, row, this.#expiresMs(write.until)]);
    }
  }

  /** Whether a key satisfies one of the filters that the suite makes. */
  #matches(key: Key, where: Filter = {}): boolean {
    const { key: condition, not, or } = where;
    const order = (operand: unknown) => compareGiven(key, keyGiven(this.#form, operand));
    return (
      (condition?.in?.some((one) => order(one) === 0) ?? true) &&
      (condition?.eq === undefined || order(condition.eq) === 0) &&
      (condition?.gt === undefined || order(condition.gt) > 0) &&
      (condition?.lt === undefined || order(condition.lt) < 0) &&
      (not === undefined || !this.#matches(key, not)) &&
      (or?.some((one) => this.#matches(key, one)) ?? true)
    );
  }

  #within(range: Filtered): Entry[] {
    const bound = (key: Key, bound: unknown, holds: (order: number) => boolean): boolean =>
      bound === undefined || holds(compareGiven(key, keyGiven(this.#form, bound)));
    const found = this.entries.filter(
      ([key]) =>
        bound(key, range.gt, (order) => order > 0) &&
        bound(key, range.gte, (order) => order >= 0) &&
        bound(key, range.lt, (order) => order < 0) &&
        bound(key, range.lte, (order) => order <= 0) &&
        this.#matches(key, range.where as Filter | undefined),
    );
    if (range.reverse) found.reverse();
    return found.slice(0, range.limit);
  }
}
