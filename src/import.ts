/**
 * Rows of other databases, for `bulkLoad`: of LMDB, of LevelDB and of SQLite, each as it is at one instant.
 * An entry point of its own: the packages that read them are optional peers, loaded when they are needed.
 */
export { type FromLevelOptions, fromLevel } from './import/level.ts';
export { type FromLmdbOptions, fromLmdb } from './import/lmdb.ts';
export type { ImportSource } from './import/source.ts';
export { type FromSqliteOptions, fromSqlite } from './import/sqlite.ts';
