/** The two databases under soak: a table by number, and sessions by name, which expire. */
import type {
  Database,
  KeyInputOf,
  KeyOf,
  OpenOptions,
  RowInputOf,
  RowOf,
} from '../../src/index.ts';
import { COLUMNS } from './layout.ts';

export const TABLE = { key: 'int64', columns: COLUMNS, shards: 2 } as const;
export const SESSIONS = { key: 'utf8', columns: COLUMNS, ttl: true, shards: 2 } as const;

type Of<O extends OpenOptions> = Database<KeyOf<O>, RowOf<O>, KeyInputOf<O>, RowInputOf<O>>;
export type Table = Of<typeof TABLE>;
export type Sessions = Of<typeof SESSIONS>;
