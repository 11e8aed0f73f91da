/**
 * `where`: what rows are filtered by, as a caller writes it, and the checked filter made of it.
 *
 * An object has a condition for each column that it names, and all of them have to hold: a value the
 * column must be equal to, null, or an object of comparisons, all of which have to hold. `and`, `or` and
 * `not` take objects of the same kind.
 */
import { OmenError } from '../errors.ts';
import { KeyCodec, sortableToNumber } from '../schema/key.ts';
import { compareBytes, copyOf } from '../schema/key-bytes.ts';
import {
  type ColumnType,
  EXPIRES_COLUMN,
  isVariable,
  type KeyType,
  type Schema,
} from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { type Filter, keyValue, NOTHING, type Words } from '../view/filter.ts';
import { KEY } from '../view/gather.ts';
import { fieldNamed } from './fields.ts';
import type { Iteration } from './range.ts';

/** Comparisons with a column; all that are given have to hold. None holds of a null but `isNull: true`. */
export interface Comparisons<Value> {
  readonly eq?: Value;
  readonly ne?: Value;
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  /** From the first to the second, both included. */
  readonly between?: readonly [Value, Value];
  readonly in?: readonly Value[];
  readonly isNull?: boolean;
}

type ColumnsOf<RowInput> = unknown extends RowInput
  ? Readonly<Record<string, unknown>>
  : RowInput extends string | Uint8Array
    ? { readonly value: RowInput }
    : RowInput;

/** The names of columns, of the key, and of the column that says when rows expire. */
export type FieldOf<RowInput> =
  | (keyof ColumnsOf<RowInput> & string)
  | 'key'
  | typeof EXPIRES_COLUMN;

type ConditionOn<Value> = unknown extends Value
  ? unknown
  : Exclude<Value, undefined> | Comparisons<Exclude<Value, null | undefined>>;

/** A filter over the columns of a row, and over `key`. */
export type Where<KeyInput = unknown, RowInput = unknown> = {
  readonly [Name in keyof ColumnsOf<RowInput>]?: ConditionOn<ColumnsOf<RowInput>[Name]>;
} & {
  readonly key?: ConditionOn<KeyInput>;
  /** When rows expire; null: never. Where they may: see the option `ttl` of `open`. */
  readonly [EXPIRES_COLUMN]?: ConditionOn<number | Date | null>;
  readonly and?: readonly Where<KeyInput, RowInput>[];
  readonly or?: readonly Where<KeyInput, RowInput>[];
  readonly not?: Where<KeyInput, RowInput>;
};

const RANGES = ['gt', 'gte', 'lt', 'lte'] as const;
const OPERATORS = [...RANGES, 'eq', 'ne', 'between', 'in', 'isNull'] as const;
const DEPTH_MAX = 64;

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_WHERE', message);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  );
}

/** @throws OMEN_INVALID_WHERE, OMEN_UNKNOWN_COLUMN; OMEN_INVALID_KEY, OMEN_UNSAFE_INTEGER for a key */
export function parseWhere(schema: Schema, where: unknown): Filter | null {
  return where === undefined ? null : parse(schema, where, 0);
}

function parse(schema: Schema, where: unknown, depth: number): Filter {
  if (!isPlain(where)) throw invalid(`A filter is an object of conditions, not ${show(where)}.`);
  if (depth > DEPTH_MAX) throw invalid(`A filter is at most ${DEPTH_MAX} deep.`);
  const parts = Object.entries(where).flatMap(([name, condition]): Filter[] => {
    if (condition === undefined) return [];
    if (name === 'not') return [{ kind: 'not', part: parse(schema, condition, depth + 1) }];
    if (name === 'and' || name === 'or') {
      if (!Array.isArray(condition)) throw invalid(`"${name}" takes an array of filters.`);
      return [{ kind: name, parts: condition.map((part) => parse(schema, part, depth + 1)) }];
    }
    return [conditionOn(operandOf(schema, name), condition)];
  });
  return allOf(parts);
}

function allOf(parts: readonly Filter[]): Filter {
  return parts.length === 1 ? parts[0] : { kind: 'and', parts };
}

/** What is compared: a column or the key. */
interface Operand {
  readonly name: string;
  readonly column: number;
  readonly type: ColumnType | KeyType;
  readonly codec: KeyCodec;
}

function operandOf(schema: Schema, name: string): Operand {
  const column = fieldNamed(schema, name, ' Besides them: and, or, not.');
  if (column === KEY) {
    return { name, column, type: schema.key, codec: new KeyCodec(schema.key, true) };
  }
  if (schema.value === 'json' && name !== EXPIRES_COLUMN) {
    throw invalid('JSON values cannot be compared, only their keys.');
  }
  const { type } = schema.columns[column];
  const isInteger = type === 'int64' || type === 'timestamp';
  return { name, column, type, codec: new KeyCodec(isInteger ? type : 'float64', true) };
}

function conditionOn(operand: Operand, condition: unknown): Filter {
  if (condition === null) return { kind: 'null', column: operand.column };
  if (!isPlain(condition)) return compare(operand, 'eq', condition);
  return allOf(
    Object.entries(condition).flatMap(([operator, value]): Filter[] => {
      if (value === undefined) return [];
      if (!OPERATORS.some((one) => one === operator)) {
        throw invalid(`There is no comparison "${operator}"; there are ${OPERATORS.join(', ')}.`);
      }
      return [compare(operand, operator as (typeof OPERATORS)[number], value)];
    }),
  );
}

function compare(operand: Operand, operator: (typeof OPERATORS)[number], value: unknown): Filter {
  const { name, column } = operand;
  switch (operator) {
    case 'isNull': {
      if (typeof value !== 'boolean') throw invalid(`"isNull" of "${name}" is true or false.`);
      const isNull: Filter = { kind: 'null', column };
      return value ? isNull : { kind: 'not', part: isNull };
    }
    case 'ne': {
      const isThere: Filter = { kind: 'not', part: { kind: 'null', column } };
      return {
        kind: 'and',
        parts: [{ kind: 'not', part: compare(operand, 'eq', value) }, isThere],
      };
    }
    case 'between': {
      if (!Array.isArray(value) || value.length !== 2) {
        throw invalid(`"between" of "${name}" takes an array of two values.`);
      }
      return within(operand, { gte: value[0], lte: value[1] });
    }
    case 'in':
      if (!Array.isArray(value)) throw invalid(`"in" of "${name}" takes an array of values.`);
      return among(operand, value);
    case 'eq':
      if (operand.type !== 'bool') return within(operand, { gte: value, lte: value });
      if (typeof value !== 'boolean') throw wrongType(operand, value);
      return { kind: 'bool', column, value };
    default:
      return within(operand, { [operator]: value });
  }
}

function wrongType({ name, type }: Operand, value: unknown): OmenError {
  return invalid(`"${name}" is ${type}: it cannot be compared with ${show(value)}.`);
}

type Limits = Readonly<Partial<Record<(typeof RANGES)[number], unknown>>>;

/** Values within limits, each side of which may be left open. */
function within(operand: Operand, { gt, gte, lt, lte }: Limits): Filter {
  const { column, type } = operand;
  const [low, high] = [gt ?? gte, lt ?? lte];
  const [isAboveLow, isBelowHigh] = [gt !== undefined, lt !== undefined];
  if (isVariable(type)) {
    return {
      kind: 'text',
      column,
      low: low === undefined ? null : bytesOf(operand, low),
      isAboveLow,
      high: high === undefined ? null : bytesOf(operand, high),
      isBelowHigh,
    };
  }
  if (type === 'bool') throw wrongType(operand, low ?? high);
  const order = operand.codec.type;
  let first: Words | null = low === undefined ? FIRST : encoded(operand, low);
  let last: Words | null = high === undefined ? LAST : encoded(operand, high);
  if (isAboveLow) first = stepped(first, 1);
  if (isBelowHigh) last = stepped(last, -1);
  // Below zero comes minus zero, which no comparison tells from it.
  if (isBelowHigh && order === 'float64' && last?.hi === 0x7fffffff && last.lo === 0xffffffff) {
    last = stepped(last, -1);
  }
  if (first === null || last === null) return NOTHING;
  const isWords = column === KEY || type === 'int64' || type === 'timestamp';
  const numbers = [first, last].map(({ hi, lo }) => sortableToNumber(order, hi, lo));
  // Beyond an infinity there are bits of no number, which would be taken for it.
  const isBeyond =
    order === 'float64' && (isAbove(first, INFINITY) || isAbove(MINUS_INFINITY, last));
  if (isBeyond) return NOTHING;
  const [lowNumber, highNumber] = numbers;
  return isWords
    ? { kind: 'words', column, low: first, high: last, lowNumber, highNumber }
    : { kind: 'number', column, low: lowNumber, high: highNumber };
}

const FIRST: Words = { hi: 0, lo: 0 };
const LAST: Words = { hi: 0xffffffff, lo: 0xffffffff };
const INFINITY: Words = { hi: 0xfff00000, lo: 0 };
const MINUS_INFINITY: Words = { hi: 0x000fffff, lo: 0xffffffff };

function isAbove(a: Words, b: Words): boolean {
  return a.hi > b.hi || (a.hi === b.hi && a.lo > b.lo);
}

/** The next sortable word, or the one before; null where there is none. For floats: the next float. */
function stepped({ hi, lo }: Words, by: 1 | -1): Words | null {
  const edge = by === 1 ? 0xffffffff : 0;
  if (lo !== edge) return { hi, lo: lo + by };
  return hi === edge ? null : { hi: hi + by, lo: by === 1 ? 0 : 0xffffffff };
}

/** @throws OMEN_INVALID_WHERE; for a key what its codec throws */
function encoded(operand: Operand, value: unknown): Words {
  const { column, type, codec } = operand;
  if (column !== KEY) {
    const isFloat = type === 'float64' || type === 'float32';
    const isRight = isFloat
      ? typeof value === 'number' && !Number.isNaN(value)
      : Number.isSafeInteger(value) ||
        (type === 'int64' && typeof value === 'bigint' && BigInt.asIntN(64, value) === value) ||
        (type === 'timestamp' && value instanceof Date && !Number.isNaN(value.getTime()));
    if (!isRight) throw wrongType(operand, value);
  }
  codec.encode(value);
  const { hi, lo } = codec;
  return { hi, lo };
}

function bytesOf(operand: Operand, value: unknown): Uint8Array {
  const { column, type, codec } = operand;
  if (column === KEY) {
    codec.encode(value);
    const { bytes } = codec;
    if (bytes === null) throw wrongType(operand, value);
    return Uint8Array.from(bytes.memory.buffer.subarray(bytes.start, bytes.end));
  }
  if (type === 'utf8' && typeof value === 'string' && value.isWellFormed()) {
    return new TextEncoder().encode(value);
  }
  if (type === 'binary' && value instanceof Uint8Array) return Uint8Array.from(value);
  throw wrongType(operand, value);
}

function among(operand: Operand, values: readonly unknown[]): Filter {
  const { column, type } = operand;
  if (type === 'bool') {
    return { kind: 'or', parts: values.map((value) => compare(operand, 'eq', value)) };
  }
  if (isVariable(type)) {
    const texts = values.map((value) => Buffer.from(bytesOf(operand, value)).toString('latin1'));
    return { kind: 'among', column, values: new Set(texts) };
  }
  const words = values.map((value) => encoded(operand, value));
  // A few are quicker compared one by one.
  if (words.length <= 4) {
    const parts = values.map((value) => compare(operand, 'eq', value));
    return parts.length === 1 ? parts[0] : { kind: 'or', parts };
  }
  const order = operand.codec.type;
  return {
    kind: 'among',
    column,
    values: new Set(words.map(({ hi, lo }) => keyValue(order, hi, lo))),
  };
}

/** The range without what the filter's own conditions on the key leave out. */
export function narrowed(iteration: Iteration, filter: Filter | null, type: KeyType): Iteration {
  if (filter === null) return iteration;
  if (filter.kind === 'and') {
    return filter.parts.reduce((range, part) => narrowed(range, part, type), iteration);
  }
  let range = iteration;
  if (filter.kind === 'words' && filter.column === KEY) {
    range = from(range, { ...filter.low, bytes: null }, false);
    range = upTo(range, { ...filter.high, bytes: null }, false);
  } else if (filter.kind === 'text' && filter.column === KEY) {
    if (filter.low !== null) range = from(range, boundOf(type, filter.low), filter.isAboveLow);
    if (filter.high !== null) range = upTo(range, boundOf(type, filter.high), filter.isBelowHigh);
  }
  const { firstHi, firstLo, firstBytes, lastHi, lastLo, lastBytes } = range;
  const order = firstHi - lastHi || firstLo - lastLo || compareBytes(firstBytes, lastBytes);
  const isOpen = range.isAfterFirst || range.isBeforeLast;
  return { ...range, isEmpty: range.isEmpty || order > 0 || (order === 0 && isOpen) };
}

interface KeyBound extends Words {
  readonly bytes: Iteration['firstBytes'];
}

function boundOf(type: KeyType, bytes: Uint8Array): KeyBound {
  const codec = new KeyCodec(type, true);
  codec.encode(type === 'utf8' ? Buffer.from(bytes).toString() : bytes);
  return { hi: codec.hi, lo: codec.lo, bytes: copyOf(bytes) };
}

function from(range: Iteration, { hi, lo, bytes }: KeyBound, isAfter: boolean): Iteration {
  const { firstHi, firstLo, firstBytes, isAfterFirst } = range;
  const order = hi - firstHi || lo - firstLo || compareBytes(bytes, firstBytes);
  if (order < 0 || (order === 0 && isAfterFirst)) return range;
  return { ...range, firstHi: hi, firstLo: lo, firstBytes: bytes, isAfterFirst: isAfter };
}

function upTo(range: Iteration, { hi, lo, bytes }: KeyBound, isBefore: boolean): Iteration {
  const { lastHi, lastLo, lastBytes, isBeforeLast } = range;
  const order = hi - lastHi || lo - lastLo || compareBytes(bytes, lastBytes);
  if (order > 0 || (order === 0 && isBeforeLast)) return range;
  return { ...range, lastHi: hi, lastLo: lo, lastBytes: bytes, isBeforeLast: isBefore };
}
