/**
 * setup.js runs here in made-up folders, with a stand-in for npm that only notes that it was called.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

const script = join(import.meta.dirname, '../../scripts/setup.js');

type Packages = Record<string, { version: string; integrity: string; optional?: boolean }>;

const left = { version: '1.0.0', integrity: 'sha512-left' };
const node = { version: '26.0.0', integrity: 'sha512-node' };

/** A folder with a lock file and, where `installed` is given, a node_modules that says so. */
function makeProject(t: ExecutionContext, wanted: Packages, installed: Packages | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'omendb-setup-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const lock = (packages: Packages) => JSON.stringify({ lockfileVersion: 3, packages });
  writeFileSync(join(folder, 'package-lock.json'), lock(wanted));
  if (installed !== null) {
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), lock(installed));
  }
  return folder;
}

/** Runs setup.js and tells with which arguments it called npm, where it did. */
function setUp(folder: string, npmExitCode = 0): { status: number | null; npm: string[] | null } {
  const note = join(folder, 'npm-was-called.json');
  const npm = join(folder, 'npm-stand-in.js');
  writeFileSync(
    npm,
    `require('node:fs').writeFileSync(${JSON.stringify(note)}, JSON.stringify(process.argv.slice(2)));
     process.exit(${npmExitCode});`,
  );
  const { status } = spawnSync(process.execPath, [script, folder], {
    env: { ...process.env, npm_execpath: npm },
  });
  return { status, npm: existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : null };
}

test('a fresh clone is installed from the lock file, development dependencies too', (t) => {
  const folder = makeProject(t, { 'node_modules/left': left }, null);
  t.deepEqual(setUp(folder), {
    status: 0,
    npm: ['ci', '--include=dev', '--include=optional', '--loglevel=error'],
  });
});

test('what is installed already is left alone', (t) => {
  const packages = { 'node_modules/left': left };
  t.deepEqual(setUp(makeProject(t, packages, packages)), { status: 0, npm: null });
});

test('another version in the lock file is installed', (t) => {
  const newer = { version: '1.0.1', integrity: 'sha512-newer' };
  const folder = makeProject(t, { 'node_modules/left': newer }, { 'node_modules/left': left });
  t.is(setUp(folder).npm?.[0], 'ci');
});

test('a package that is missing is installed', (t) => {
  const wanted = { 'node_modules/left': left, 'node_modules/right': left };
  t.is(setUp(makeProject(t, wanted, { 'node_modules/left': left })).npm?.[0], 'ci');
});

test("packages behind a link are another checkout's, and left alone", (t) => {
  const other = makeProject(t, { 'node_modules/left': left }, { 'node_modules/left': left });
  const folder = makeProject(t, { 'node_modules/right': left }, null);
  symlinkSync(join(other, 'node_modules'), join(folder, 'node_modules'));
  t.deepEqual(setUp(folder), { status: 0, npm: null });
});

test('packages of other platforms are not waited for', (t) => {
  const wanted = { 'node_modules/left': left, 'node_modules/far': { ...left, optional: true } };
  t.is(setUp(makeProject(t, wanted, { 'node_modules/left': left })).npm, null);
});

test('an install that ended before the pinned Node was there is done again', (t) => {
  const packages = { 'node_modules/node': node };
  const folder = makeProject(t, packages, packages);
  t.is(setUp(folder).npm?.[0], 'ci');
  mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true });
  writeFileSync(join(folder, 'node_modules/node/bin/node'), '');
  rmSync(join(folder, 'npm-was-called.json'));
  t.is(setUp(folder).npm, null);
});

test('a failing install stops the script that asked for it', (t) => {
  t.is(setUp(makeProject(t, { 'node_modules/left': left }, null), 7).status, 7);
});
