/**
 * Rows of a LevelDB database, by way of the package `classic-level`: from a snapshot, in the order of its
 * keys. LevelDB has no way to open a database for reading alone: nobody else may have it open meanwhile, and
 * a log that it finds is made into a table.
 */
import { OmenError } from '../index.ts';
import { mustBeThere, packageNamed } from './foreign.ts';
import {
  checkOptions,
  type ImportSource,
  type Item,
  type Opened,
  sourceOf,
  unreadable,
} from './source.ts';

type Encoding = 'utf8' | 'json' | 'binary';

export interface FromLevelOptions<Key = never, Row = never> {
  /** Keys are text, or bytes. Default: `'utf8'`. */
  readonly keyEncoding?: 'utf8' | 'binary';
  /** Values are text, bytes, or JSON, whose members are columns by their names. Default: `'utf8'`. */
  readonly valueEncoding?: Encoding;
  /** A row with its key, of a key and a value; undefined: it is passed over. Default: the two as they are. */
  map?(key: unknown, value: unknown): readonly [key: Key, row: Row] | undefined;
}

/** What is used of a database of abstract-level, and of an iterator. */
interface LevelDatabase {
  iterator(options: object): {
    nextv(size: number): Promise<readonly (readonly [Uint8Array, Uint8Array])[]>;
    close(): Promise<void>;
  };
  close(): Promise<void>;
}

const KNOWN = ['keyEncoding', 'valueEncoding', 'map'];
const ENCODINGS: readonly unknown[] = ['utf8', 'json', 'binary'];
const ENTRIES_PER_READ = 1000;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param from the path of a LevelDB database, or a database of abstract-level that is open, which stays so
 * @throws OMEN_INVALID_OPTIONS at once; OMEN_INVALID_SOURCE, OMEN_MISSING_PACKAGE as it is read
 */
export function fromLevel<Key = never, Row = never>(
  from: string | object,
  options: FromLevelOptions<Key, Row> = {},
): ImportSource<Key, Row> {
  checkOptions('fromLevel', options, KNOWN);
  const { keyEncoding = 'utf8', valueEncoding = 'utf8', map } = options;
  if (!ENCODINGS.includes(valueEncoding)) {
    throw new OmenError('OMEN_INVALID_OPTIONS', "\"valueEncoding\" is 'utf8', 'json' or 'binary'.");
  }
  if (keyEncoding !== 'utf8' && keyEncoding !== 'binary') {
    throw new OmenError('OMEN_INVALID_OPTIONS', "\"keyEncoding\" is 'utf8' or 'binary'.");
  }
  return sourceOf(async (): Promise<Opened> => {
    const { database, close } = await opened(from);
    const what = typeof from === 'string' ? from : 'The database';
    const arrays = arraysOf(database, what, (key, value) => {
      const own = decoded(key, keyEncoding);
      const row = decoded(value, valueEncoding);
      if (row instanceof OmenError) return row;
      return map === undefined ? [own, row] : map(own, row);
    });
    return { arrays, close };
  });
}

async function opened(from: string | object) {
  if (typeof from !== 'string') return { database: from as LevelDatabase, close: () => {} };
  mustBeThere(from, 'LevelDB', ['CURRENT']);
  const { ClassicLevel } = await packageNamed('classic-level', () => import('classic-level'));
  const database = new ClassicLevel(from, { createIfMissing: false });
  try {
    await database.open();
  } catch (error) {
    throw unreadable(from, 'LevelDB', error);
  }
  return { database: database as unknown as LevelDatabase, close: () => database.close() };
}

/** Bytes that are not what was said are left as they are: then they are refused where they do not fit. */
function decoded(bytes: Uint8Array, encoding: Encoding): unknown {
  if (encoding === 'binary') return new Uint8Array(bytes);
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    return new Uint8Array(bytes);
  }
  if (encoding === 'utf8') return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return new OmenError('OMEN_INVALID_ROW', `the value is not JSON: ${message}`);
  }
}

async function* arraysOf(
  database: LevelDatabase,
  what: string,
  itemOf: (key: Uint8Array, value: Uint8Array) => Item | undefined,
): AsyncGenerator<readonly Item[], void, undefined> {
  const iterator = database.iterator({ keyEncoding: 'view', valueEncoding: 'view' });
  try {
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_PER_READ).catch((error: unknown) => {
        throw unreadable(what, 'LevelDB', error);
      });
      if (entries.length === 0) return;
      yield entries.flatMap(([key, value]) => {
        const item = itemOf(key, value);
        return item === undefined ? [] : [item];
      });
    }
  } finally {
    await iterator.close();
  }
}
