/**
 * Files of other databases, of which nothing is asked but whether they are there and how they begin, and
 * packages that read them. No file of the engine's is among them, so that no storage is asked: and what they are not is not
 * made, as the packages would do, some of them when they are to read only.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { OmenError } from '../index.ts';

/**
 * @param names of files within, one of which is there where it is such a database; none: a file itself
 * @throws OMEN_INVALID_SOURCE
 */
export function mustBeThere(path: string, kind: string, names: readonly string[]): void {
  const paths = names.length === 0 ? [path] : names.map((name) => join(path, name));
  if (path !== '' && paths.some((one) => existsSync(one))) return;
  const message = `There is no ${kind} database at ${JSON.stringify(path)}.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

/**
 * The mark on the first page of an LMDB file (`mdb.c`, MDB_meta), and where it stands: as LMDB 1.0 writes
 * pages, which the package `lmdb` reads from version 3 on, and as 0.9 does.
 */
const LMDB_MARK = 0xbeefc0de;
const LMDB_MARK_AT = 24;
const LMDB_OLD_MARK_AT = 16;

/**
 * The package `lmdb` ends the process where it is given a file of another kind or format, so it is not.
 * @param path of a directory with a data.mdb, or of such a file
 * @throws OMEN_INVALID_SOURCE
 */
export function mustBeLmdb(path: string, isFile: boolean): void {
  mustBeThere(path, 'LMDB', isFile ? [] : ['data.mdb']);
  const file = isFile ? path : join(path, 'data.mdb');
  const head = Buffer.alloc(LMDB_MARK_AT + 4);
  try {
    const descriptor = openSync(file, 'r');
    try {
      readSync(descriptor, head);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new OmenError('OMEN_INVALID_SOURCE', `${file} cannot be read: ${text}`, { cause: error });
  }
  if (head.readUInt32LE(LMDB_MARK_AT) === LMDB_MARK) return;
  const isOld = head.readUInt32LE(LMDB_OLD_MARK_AT) === LMDB_MARK;
  const message = isOld
    ? `${file} has the format of LMDB 0.9: open it yourself, with a package that reads it, and pass the database.`
    : `${file} is no file of LMDB.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

/** @throws OMEN_MISSING_PACKAGE, with how to install it */
export async function packageNamed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && String(error).includes(`'${name}'`);
    if (!isMissing) throw error;
    const message = `The package ${name}, which reads such databases, is not installed: npm install ${name}`;
    throw new OmenError('OMEN_MISSING_PACKAGE', message, { cause: error });
  }
}
