/**
 * What all sources have in common: a database of another kind is opened when somebody reads its rows, and
 * closed when they are read or nobody wants more of them.
 */
import { OmenError, ROW_ARRAYS, type SchemaOptions } from '../index.ts';
import { type Hints, inferSchema } from './infer.ts';

/** Rows of another database, with their keys: what `bulkLoad` takes. Each time it is iterated it reads anew. */
export interface ImportSource<Key = never, Row = never>
  extends AsyncIterable<readonly [key: Key, row: Row]> {
  /**
   * Options that `open` takes to make a database for the rows: their types, told from the first thousand of
   * them that are no bad ones, and in SQLite from what is declared. A column may be null unless that is ruled
   * out.
   * @throws OMEN_INVALID_SOURCE where no types fit, or there are no rows
   */
  schema(): Promise<SchemaOptions>;
  /** The same rows in arrays, which spare `bulkLoad` a promise for each; an error is a bad row. */
  [ROW_ARRAYS](): AsyncIterable<readonly (readonly [key: Key, row: Row] | OmenError)[]>;
}

/** A row with its key, or what is wrong with one. */
export type Item = readonly [key: unknown, row: unknown] | OmenError;

/** A database of another kind, as it is read. */
export interface Opened {
  readonly arrays: Iterable<readonly Item[]> | AsyncIterable<readonly Item[]>;
  readonly hints?: Hints;
  close(): void | Promise<void>;
}

/** So many rows tell the types. */
const SAMPLE_ROWS = 1000;

/** Rows of a synchronous reader that come at once. */
const ROWS_PER_ARRAY = 256;

/** @param open called each time the rows are read */
export function sourceOf<Key, Row>(open: () => Promise<Opened>): ImportSource<Key, Row> {
  async function* arraysOf(): AsyncGenerator<readonly Item[], void, undefined> {
    const { arrays, close } = await open();
    try {
      yield* arrays;
    } finally {
      await close();
    }
  }
  return {
    async *[Symbol.asyncIterator]() {
      for await (const items of arraysOf()) {
        for (const item of items) {
          if (item instanceof OmenError) throw item;
          yield item as readonly [Key, Row];
        }
      }
    },
    async schema() {
      const { arrays, hints, close } = await open();
      try {
        const sample: (readonly [unknown, unknown])[] = [];
        for await (const items of arrays) {
          for (const item of items) {
            if (!(item instanceof OmenError)) sample.push(item);
          }
          if (sample.length >= SAMPLE_ROWS) break;
        }
        return inferSchema(sample, hints);
      } finally {
        await close();
      }
    },
    [ROW_ARRAYS]: arraysOf as ImportSource<Key, Row>[typeof ROW_ARRAYS],
  };
}

/** How a caller makes rows of what there is; undefined: passes over it. */
export type MapRow<Key, Row> = (key: never, value: never) => readonly [Key, Row] | undefined;

/** Rows in arrays, as `map` makes them of what there is. */
export function* mapped(
  pairs: Iterable<readonly [unknown, unknown]>,
  map: MapRow<unknown, unknown> | undefined,
): Generator<readonly Item[], void, undefined> {
  let rows: Item[] = [];
  for (const pair of pairs) {
    const row = map === undefined ? pair : map(pair[0] as never, pair[1] as never);
    if (row === undefined) continue;
    rows.push(row);
    if (rows.length < ROWS_PER_ARRAY) continue;
    yield rows;
    rows = [];
  }
  yield rows;
}

/** Wraps what a foreign package says in a coded error. */
export function unreadable(what: string, kind: string, error: unknown): OmenError {
  if (error instanceof OmenError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const { cause } = error instanceof Error ? error : { cause: undefined };
  const more = cause instanceof Error ? ` (${cause.message})` : '';
  return new OmenError('OMEN_INVALID_SOURCE', `${what} cannot be read as ${kind}: ${text}${more}`, {
    cause: error,
  });
}

/** @throws OMEN_INVALID_OPTIONS */
export function checkOptions(
  name: string,
  options: unknown,
  known: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null) {
    throw new OmenError('OMEN_INVALID_OPTIONS', `The options of ${name}() are an object.`);
  }
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const message = `${name}() has no option "${option}". Options are ${known.join(', ')}.`;
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  }
  const map: unknown = Reflect.get(options, 'map');
  if (map === undefined || typeof map === 'function') return;
  throw new OmenError('OMEN_INVALID_OPTIONS', '"map" is a function of a key and a value.');
}
