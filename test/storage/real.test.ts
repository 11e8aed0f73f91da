import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { realStorage } from '../../src/storage/real.ts';
import { bytes, codeOf, contentOf, temporaryDirectory } from './support.ts';

test('a transfer larger than one system call takes comes out whole', (t) => {
  const path = join(temporaryDirectory(t), 'large');
  const source = new Uint8Array(65 * 2 ** 20);
  for (let i = 0; i < source.length; i += 4096) source[i] = i >> 12;
  const file = realStorage.open(path, 'create-new');
  file.write(source, 3);
  const target = new Uint8Array(source.length + 10);
  t.is(file.read(target, 3), source.length);
  t.is(Buffer.compare(target.subarray(0, source.length), source), 0);
  file.close();
});

test('a directory cannot be read or written as a file', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'inner');
  mkdirSync(path);
  t.is(
    codeOf(() => realStorage.open(path, 'read-write')),
    'OMEN_IO',
  );
  t.is(
    codeOf(() => realStorage.open(path, 'read').read(new Uint8Array(1), 0)),
    'OMEN_IO',
  );
  t.true(codeOf(() => realStorage.remove(path)) !== '');
});

test('writing what was opened for reading is an error', (t) => {
  const path = join(temporaryDirectory(t), 'a');
  writeFileSync(path, 'x');
  const file = realStorage.open(path, 'read');
  t.teardown(() => file.close());
  const error = t.throws(() => file.write(bytes(1), 0), { code: 'OMEN_IO' });
  t.true(error?.message.includes(path));
});

test('a symbolic link that leads nowhere is no file', (t) => {
  const path = join(temporaryDirectory(t), 'link');
  symlinkSync('/nowhere/at/all', path);
  t.false(realStorage.exists(path));
});

test('denied access is OMEN_PERMISSION', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'a');
  writeFileSync(path, 'x');
  chmodSync(path, 0o000);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534); // root is denied nothing
  try {
    t.is(
      codeOf(() => realStorage.open(path, 'read-write')),
      'OMEN_PERMISSION',
    );
    t.is(
      codeOf(() => realStorage.open(join(directory, 'b'), 'create-new')),
      isRoot ? 'OMEN_PERMISSION' : '',
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('no descriptor left is OMEN_TOO_MANY_FILES', (t) => {
  const directory = temporaryDirectory(t);
  const script = `
    import { realStorage } from ${JSON.stringify(new URL('../../src/storage/real.ts', import.meta.url).href)};
    for (let i = 0; ; i++) {
      try {
        realStorage.open(${JSON.stringify(directory)} + '/' + i, 'create-new');
      } catch (error) {
        console.log(error.code);
        break;
      }
    }`;
  const command = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"';
  const said = execFileSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  t.is(said.trim(), 'OMEN_TOO_MANY_FILES');
});

test('what is published is synced, then named, then its name is synced', (t) => {
  const directory = temporaryDirectory(t);
  const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { realStorage } from ${from('../../src/storage/real.ts')};
    import { publishFile } from ${from('../../src/storage/storage.ts')};
    publishFile(realStorage, ${JSON.stringify(join(directory, 'a'))}, new Uint8Array(5000));`;
  const calls = 'trace=pwrite64,fsync,fdatasync,/^rename';
  const command = [process.execPath, '--input-type=module', '-e', script];
  const { status, stderr } = spawnSync('strace', ['-f', '-y', '-e', calls, ...command], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    t.log('SKIPPED: system calls cannot be traced here');
    t.pass();
    return;
  }
  const ours = stderr.split('\n').filter((line) => line.includes(directory));
  const path = (name: string) => `${directory}${name}`;
  t.deepEqual(
    ours.map((line) => line.replace(/^\[pid +\d+\] /, '').replace(/\(\d+|\) += .*|, "\\0.*/g, '(')),
    [
      `pwrite64(<${path('/a.tmp')}>(`,
      `fsync(<${path('/a.tmp')}>(`,
      `rename("${path('/a.tmp')}", "${path('/a')}"(`,
      `fsync(<${path('')}>(`,
    ],
  );
});

test('a full disk is OMEN_DISK_FULL, after as much as fits was written', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-full-'));
  t.teardown(() => rmdirSync(directory));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', directory], { stdio: 'pipe' });
  } catch {
    t.log('SKIPPED in part: no small volume can be mounted here; /dev/full stands in');
    const file = realStorage.open('/dev/full', 'read-write');
    t.teardown(() => file.close());
    t.is(
      codeOf(() => file.write(bytes(10), 0)),
      'OMEN_DISK_FULL',
    );
    return;
  }
  try {
    const path = join(directory, 'a');
    const file = realStorage.open(path, 'create-new');
    const source = bytes(1_500_000);
    t.is(
      codeOf(() => file.write(source, 0)),
      'OMEN_DISK_FULL',
    );
    file.close();
    const written = contentOf(realStorage, path);
    t.true(written.length > 0 && written.length < source.length);
    t.is(Buffer.compare(written, source.subarray(0, written.length)), 0);
    t.true(realStorage.freeBytes(directory) < 4096);
  } finally {
    execFileSync('umount', [directory]);
  }
});
