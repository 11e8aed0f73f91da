/**
 * Files of other databases, of which nothing is asked but whether they are there, and packages that read
 * them. No file of the engine's is among them, so that no storage is asked: and what they are not is not
 * made, as the packages would do, some of them when they are to read only.
 */
import { existsSync } from 'node:fs';
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
