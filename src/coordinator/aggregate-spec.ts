/** What an aggregate is asked for, as a caller writes it, and the checked plan made of it. */

import { OmenError } from '../errors.ts';
import type { Schema } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { type AggregatePlan, type ColumnWanted, isNumeric, typeOf } from '../view/aggregate.ts';
import { fieldNamed } from './fields.ts';
import type { RangeOptions } from './range.ts';
import type { Where } from './where.ts';

const OF_ANY = ['count', 'distinct'] as const;
const OF_NUMBERS = ['sum', 'mean', 'min', 'max', 'variance', 'stddev'] as const;

/**
 * One figure: the number of rows, or a function of a column (`key` is one): `count` of values that are
 * not null, `distinct` of them, `sum`, `mean`, `min`, `max`, `variance` and `stddev` of a sample, or the
 * `quantile` at a part from 0 to 1.
 */
export type Aggregate<Name extends string = string> =
  | 'count'
  | readonly [(typeof OF_ANY)[number] | (typeof OF_NUMBERS)[number], Name]
  | readonly ['quantile', Name, number];

export type AggregateSpec<Name extends string = string> = Readonly<Record<string, Aggregate<Name>>>;

export interface AggregateOptions<
  KeyInput = unknown,
  RowInput = unknown,
  Name extends string = string,
> extends RangeOptions {
  readonly where?: Where<KeyInput, RowInput>;
  /** A group for each value of this column, nulls in one of their own. */
  readonly groupBy?: Name;
  /** A group for each stretch of time of a timestamp key: `'5m'`; ms, s, m, h, d, counted from 1970 UTC. */
  readonly bucket?: string;
  readonly signal?: AbortSignal;
}

/** What the figures of a spec are. */
export type Figures<Spec> = {
  -readonly [Name in keyof Spec]: Spec[Name] extends
    | 'count'
    | readonly ['count' | 'distinct', string]
    ? number
    : Spec[Name] extends readonly ['sum', string]
      ? number | bigint
      : Spec[Name] extends readonly ['min' | 'max', string]
        ? number | bigint | null
        : number | null;
};

/** One row of figures, or a row for each group, which says what it is of. */
export type AggregateResult<Options, Spec> = Options extends { readonly bucket: string }
  ? (Figures<Spec> & GroupedBy<Options> & { bucket: number })[]
  : Options extends { readonly groupBy: string }
    ? (Figures<Spec> & GroupedBy<Options>)[]
    : Figures<Spec>;

type GroupedBy<Options> = Options extends { readonly groupBy: infer Name extends string }
  ? { [Column in Name]: unknown }
  : unknown;

/** One figure of the result. */
export interface Figure {
  readonly name: string;
  readonly what: 'rows' | (typeof OF_ANY)[number] | (typeof OF_NUMBERS)[number] | 'quantile';
  /** Which of the plan's columns; −1 for rows. */
  readonly index: number;
  readonly q: number;
}

export interface ParsedAggregate {
  readonly plan: AggregatePlan;
  readonly figures: readonly Figure[];
}

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_AGGREGATE', message);
}

/** @throws OMEN_INVALID_AGGREGATE, OMEN_UNKNOWN_COLUMN */
export function parseAggregate(
  schema: Schema,
  spec: unknown,
  options: { readonly groupBy?: unknown; readonly bucket?: unknown },
): ParsedAggregate {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    throw invalid(`What to aggregate is an object of figures, not ${show(spec)}.`);
  }
  const { groupBy, bucket } = options;
  const group = groupBy === undefined ? null : fieldNamed(schema, groupBy);
  const bucketMs = bucket === undefined ? null : widthOf(schema, bucket);
  const columns: { -readonly [K in keyof ColumnWanted]: ColumnWanted[K] }[] = [];
  const figures = Object.entries(spec).map(([name, asked]): Figure => {
    if ((bucketMs !== null && name === 'bucket') || (group !== null && name === groupBy)) {
      throw invalid(`The name "${name}" is that of the group. Call the figure something else.`);
    }
    if (asked === 'count') return { name, what: 'rows', index: -1, q: 0 };
    const [what, column, q] = parseFigure(schema, name, asked);
    let index = columns.findIndex((one) => one.column === column);
    if (index < 0) {
      index = columns.push({ column, moments: false, distinct: false, quantiles: false }) - 1;
    }
    if (what === 'distinct') columns[index].distinct = true;
    else if (what === 'quantile') columns[index].quantiles = true;
    else columns[index].moments = true;
    return { name, what, index, q };
  });
  return { plan: { columns, groupBy: group, bucketMs }, figures };
}

function parseFigure(
  schema: Schema,
  name: string,
  asked: unknown,
): [what: Figure['what'], column: number, q: number] {
  if (!Array.isArray(asked)) throw invalid(`"${name}" is "count" or an array, not ${show(asked)}.`);
  const [what, column, q = 0] = asked as unknown[];
  const known: readonly unknown[] = [...OF_ANY, ...OF_NUMBERS, 'quantile'];
  if (!known.includes(what)) {
    throw invalid(`"${name}": there is no ${show(what)}; there are ${known.join(', ')}.`);
  }
  const index = fieldNamed(schema, column);
  const type = typeOf(schema, index);
  const takesAny: readonly unknown[] = OF_ANY;
  if (!takesAny.includes(what) && !isNumeric(type)) {
    throw invalid(`"${name}": ${String(what)} is of numbers, and "${String(column)}" is ${type}.`);
  }
  const isPart = typeof q === 'number' && q >= 0 && q <= 1;
  if (asked.length !== (what === 'quantile' ? 3 : 2) || !isPart) {
    throw invalid(`"${name}" is [function, column], or ["quantile", column, a part from 0 to 1].`);
  }
  return [what as Figure['what'], index, q];
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function widthOf({ key }: Schema, bucket: unknown): number {
  if (key !== 'timestamp') throw invalid(`"bucket" is of timestamp keys; these are ${key}.`);
  const [, count, unit] = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(String(bucket)) ?? [];
  if (unit === undefined || typeof bucket !== 'string') {
    throw invalid(
      `"bucket" is a length of time such as "500ms", "5m" or "1d", not ${show(bucket)}.`,
    );
  }
  return Number(count) * UNITS_MS[unit];
}
