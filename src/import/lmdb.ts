/** Rows of an LMDB database, by way of the package `lmdb`: in one read transaction, in the order of its keys. */
import { extname } from 'node:path';
import { OmenError } from '../index.ts';
import { mustBeLmdb, packageNamed } from './foreign.ts';
import {
  checkOptions,
  type ImportSource,
  type Item,
  mapped,
  type Opened,
  sourceOf,
  unreadable,
} from './source.ts';

export interface FromLmdbOptions<Key = never, Row = never> {
  /** Of a database within that has a name. Default: the one without. */
  readonly name?: string;
  /**
   * A row with its key, of a key and a value; undefined: it is passed over. Default: the key, and the value as
   * the row, so an object's members are columns by their names.
   */
  map?(key: unknown, value: unknown): readonly [key: Key, row: Row] | undefined;
  /** How values are written. Default, as of `lmdb`: `'msgpack'`. */
  readonly encoding?: 'msgpack' | 'json' | 'cbor' | 'string' | 'binary' | 'ordered-binary';
  /** And keys. Default: `'ordered-binary'`. */
  readonly keyEncoding?: 'ordered-binary' | 'binary' | 'uint32';
  /** What else the database was opened with when it was written. */
  readonly compression?: boolean;
  readonly sharedStructuresKey?: symbol;
}

/** What is used of a database of the package. */
interface LmdbDatabase {
  getRange(options: object): Iterable<{ readonly key: unknown; readonly value: unknown }>;
  getKeys(options: object): Iterable<unknown>;
  openDB(name: string, options: object): LmdbDatabase | undefined;
  close(): Promise<void>;
}

const KNOWN = ['name', 'map', 'encoding', 'keyEncoding', 'compression', 'sharedStructuresKey'];

/**
 * @param from the path of an LMDB environment, or a database of `lmdb` that is open, which stays so
 * @throws OMEN_INVALID_OPTIONS at once; OMEN_INVALID_SOURCE, OMEN_MISSING_PACKAGE as it is read
 */
export function fromLmdb<Key = never, Row = never>(
  from: string | object,
  options: FromLmdbOptions<Key, Row> = {},
): ImportSource<Key, Row> {
  checkOptions('fromLmdb', options, KNOWN);
  const { map } = options;
  return sourceOf(async (): Promise<Opened> => {
    const { database, close } = await opened(from, options);
    const what = typeof from === 'string' ? from : 'The database';
    return { arrays: mapped(pairsOf(database, what), map), close };
  });
}

async function opened(
  from: string | object,
  { map: _, name, ...options }: FromLmdbOptions<unknown, unknown>,
) {
  if (typeof from !== 'string') return { database: from as LmdbDatabase, close: () => {} };
  // As the package has it: a name with an ending is that of a file.
  mustBeLmdb(from, extname(from) !== '');
  const { open } = await packageNamed('lmdb', () => import('lmdb'));
  const root = ((): LmdbDatabase => {
    try {
      const settings = { ...options, path: from, readOnly: true } as Parameters<typeof open>[0];
      return open(settings) as unknown as LmdbDatabase;
    } catch (error) {
      throw unreadable(from, 'LMDB', error);
    }
  })();
  const close = () => root.close();
  if (name === undefined) return { database: root, close };
  let database: LmdbDatabase | undefined;
  try {
    database = root.openDB(name, options);
  } catch (error) {
    await close();
    throw unreadable(from, 'LMDB', error);
  }
  if (database !== undefined) return { database, close };
  const names = [...root.getKeys({ limit: 20 })].map((key) => JSON.stringify(key)).join(', ');
  await close();
  const message = `${from} has no database ${JSON.stringify(name)} within. Its keys are ${names || 'none'}.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

function* pairsOf(database: LmdbDatabase, what: string): Generator<Exclude<Item, OmenError>> {
  try {
    for (const { key, value } of database.getRange({ snapshot: true })) yield [key, value];
  } catch (error) {
    const hint =
      ' Does it have databases within, which have names? Say which with the option "name".';
    const { message, cause } = unreadable(what, 'LMDB', error);
    throw new OmenError('OMEN_INVALID_SOURCE', `${message}.${hint}`, { cause });
  }
}
