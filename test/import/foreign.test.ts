import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { mustBeLmdb, mustBeThere, packageNamed } from '../../src/import/foreign.ts';
import { codeOfAsync } from '../coordinator/support.ts';
import { codeOf, temporaryDirectory } from '../storage/support.ts';

test('a package that is missing is named, with how to install it; what fails in one is passed on', async (t) => {
  const name: string = 'omendb-no-such-package';
  const missing = packageNamed(name, () => import(name));
  t.is(await codeOfAsync(missing), 'OMEN_MISSING_PACKAGE');
  await t.throwsAsync(missing, { message: /npm install omendb-no-such-package$/ });
  const failing = packageNamed(name, () => Promise.reject(new RangeError('mine')));
  await t.throwsAsync(failing, { instanceOf: RangeError });
  // One that is there, and lacks another one.
  const other: string = 'omendb-another-one';
  await t.throwsAsync(
    packageNamed(name, () => import(other)),
    { code: 'ERR_MODULE_NOT_FOUND' },
  );
  t.is(await packageNamed(name, async () => 5), 5);
});

test('a database is there where one of its files is', (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'a'));
  writeFileSync(join(directory, 'a', 'CURRENT'), '');
  mustBeThere(join(directory, 'a'), 'LevelDB', ['CURRENT']);
  mustBeThere(join(directory, 'a', 'CURRENT'), 'SQLite', []);
  for (const [path, names] of [
    [directory, ['CURRENT']],
    [join(directory, 'b'), []],
    ['', []],
  ] as const) {
    t.is(
      codeOf(() => mustBeThere(path, 'LevelDB', names)),
      'OMEN_INVALID_SOURCE',
    );
  }
});

test('a file of LMDB is told by its mark, and one of an older format is no other file', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.mdb');
  const refused = (head: Buffer): string => {
    writeFileSync(path, head);
    const error = t.throws(() => mustBeLmdb(path, true), { code: 'OMEN_INVALID_SOURCE' });
    return error?.message ?? '';
  };
  const marked = (at: number): Buffer => {
    const head = Buffer.alloc(4096);
    head.writeUInt32LE(0xbeefc0de, at);
    return head;
  };
  t.regex(refused(Buffer.alloc(0)), /no file of LMDB/);
  t.regex(refused(Buffer.alloc(4096, 'text')), /no file of LMDB/);
  t.regex(refused(marked(16)), /LMDB 0\.9/);
  writeFileSync(path, marked(24));
  t.notThrows(() => mustBeLmdb(path, true));
  writeFileSync(join(directory, 'data.mdb'), marked(24));
  t.notThrows(() => mustBeLmdb(directory, false));
});
