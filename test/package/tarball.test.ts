/**
 * What would be published, used as its users will: packed by npm, unpacked into a scratch project
 * outside of this one, and run from there. Of node_modules the scratch project gets the declared
 * dependencies only, linked, so that an undeclared one is missed; no registry is asked.
 */
import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const run = promisify(execFile);

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'node_modules/.bin');

// The figures of coverage are of src/: what runs out of dist/ has no place in them.
const { NODE_V8_COVERAGE: _, ...env } = process.env;

const scratch = mkdtempSync(join(tmpdir(), 'omendb-package-'));
const installed = join(scratch, 'node_modules/omendb');
let tarball = '';

test.before('pack and install', async () => {
  await run('npm', ['pack', '--pack-destination', scratch], { cwd: ROOT, env });
  const packed = readdirSync(scratch).find((name) => name.endsWith('.tgz'));
  tarball = join(scratch, packed ?? 'no tarball');
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node']) install(name);
});

function install(name: string): void {
  const link = join(scratch, 'node_modules', name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), link);
}

test.after.always(() => rmSync(scratch, { recursive: true }));

const use = (directory: string) => `
  const db = await open(${JSON.stringify(join(scratch, directory))}, {
    key: 'int64', columns: { value: 'float64' }, shards: 2,
  });
  for (let key = 0; key < 20; key++) await db.put(key, { value: key / 2 });
  const row = db.get(19);
  await db.close();
  console.log(JSON.stringify(row));
`;

/** Runs a file of the scratch project; it has to end by itself once its database is closed. */
async function outputOf(name: string, text: string): Promise<string> {
  writeFileSync(join(scratch, name), text);
  const { stdout, stderr } = await run(process.execPath, [name], { cwd: scratch, env });
  return stdout + stderr;
}

test('the package works when it is imported', async (t) => {
  const program = `import { open } from 'omendb';\n${use('esm')}`;
  t.is(await outputOf('esm.mjs', program), '{"value":9.5}\n');
});

test('the package works when it is required', async (t) => {
  const program = `const { open } = require('omendb');\n(async () => {${use('cjs')}})();`;
  t.is(await outputOf('cjs.cjs', program), '{"value":9.5}\n');
});

test('the store for Keyv works where neither Keyv nor abstract-level is installed', async (t) => {
  const program = `
    import { OmenKeyv } from 'omendb/keyv';
    await using store = new OmenKeyv(${JSON.stringify(join(scratch, 'keyv'))}, { shards: 1 });
    await store.set('a', 'b');
    console.log(await store.get('a'));
  `;
  t.is(await outputOf('keyv.mjs', program), 'b\n');
});

test('imports tell which package they need, and SQLite needs none', async (t) => {
  const program = `
    import { writeFileSync } from 'node:fs';
    import { DatabaseSync } from 'node:sqlite';
    import { fromLmdb, fromSqlite } from 'omendb/import';
    const path = ${JSON.stringify(join(scratch, 'rows.sqlite'))};
    const sqlite = new DatabaseSync(path);
    sqlite.exec('CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)');
    sqlite.close();
    console.log(JSON.stringify(await fromSqlite(path).schema()));
    const head = Buffer.alloc(4096);
    head.writeUInt32LE(0xbeefc0de, 24);
    writeFileSync(path + '.mdb', head);
    await fromLmdb(path + '.mdb').schema().catch(({ code, message }) => console.log(code, message));
  `;
  t.regex(
    await outputOf('import.mjs', program),
    /"columns":{"t":"utf8\?"}}\n(.*Warning.*\n)*OMEN_MISSING_PACKAGE .*npm install lmdb\n/,
  );
});

test.serial('the Level face needs its optional peer, and works with it', async (t) => {
  const program = `
    import { OmenLevel } from 'omendb/level';
    const level = new OmenLevel(${JSON.stringify(join(scratch, 'level'))}, { shards: 1 });
    await level.put('a', 'b');
    console.log(await level.get('a'));
    await level.close();
  `;
  const alone = await t.throwsAsync(outputOf('level.mjs', program));
  t.regex(alone?.message ?? '', /Cannot find package 'abstract-level'/);
  install('abstract-level');
  t.is(await outputOf('level.mjs', program), 'b\n');
  await compiles(
    t,
    'level.mts',
    `import { OmenLevel } from 'omendb/level';
     const level = new OmenLevel<string, number>('./data', { valueEncoding: 'json', shards: 2 });
     await level.put('a', 1);
     const value: number | undefined = await level.get('a');
     for await (const [key, one] of level.iterator({ gte: 'a' })) console.log(key.length, one + 1, value);
     // @ts-expect-error: values are numbers
     await level.put('a', 'b');
    `,
  );
});

/** Whether a module of the scratch project compiles, as strictly as it goes. */
async function compiles(t: ExecutionContext, name: string, text: string): Promise<void> {
  writeFileSync(join(scratch, name), text);
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2024',
    '--lib',
    'es2024,esnext.disposable',
  ];
  const modules = ['--module', 'nodenext', '--types', 'node', '--ignoreConfig', name];
  const check = run(join(BIN, 'tsc'), [...options, ...modules], { cwd: scratch, env });
  await t.notThrowsAsync(check.catch((error) => Promise.reject(new Error(error.stdout))));
}

test('the command works', async (t) => {
  const csv = join(scratch, 'rows.csv');
  writeFileSync(csv, 'id,value\n7,1.5\n');
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const types = ['--key', 'id:int64', '--column', 'value:float64'];
  const argv = ['load', '--db', join(scratch, 'loaded'), ...types, '--json', '--quiet', csv];
  const options = { cwd: scratch, env };
  const { stdout } = await run(process.execPath, [join(installed, bin.omendb), ...argv], options);
  t.is(JSON.parse(stdout).rows, 1);
});

test('the declarations compile in a strict project', async (t) => {
  await compiles(
    t,
    'typed.mts',
    `import { open } from 'omendb';
     import { OmenKeyv } from 'omendb/keyv';
     const db = await open('./data', { key: 'int64', columns: { value: 'float64' } });
     await db.put(1, { value: 2 });
     // @ts-expect-error: there is no such method
     db.noSuchMethod();
     await db.close();
     const value: string | undefined = await new OmenKeyv('./cache').get('a');
     console.log(value);
    `,
  );
});

test('the tarball holds what is published and nothing else', (t) => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
  const published = /^(dist\/.+\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  t.deepEqual(
    files.filter((file) => !published.test(file)),
    [],
  );
  const entries = ['index', 'level', 'keyv', 'import'].flatMap((name) => [
    `dist/${name}.js`,
    `dist/${name}.d.ts`,
  ]);
  for (const file of [...entries, 'LICENSE', 'package.json']) t.true(files.includes(file), file);
});

test('no published script names a source file', (t) => {
  const dist = join(installed, 'dist');
  const scripts = readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .filter((name) => /['"`]\.{1,2}\/\S*\.ts['"`]/.test(readFileSync(join(dist, name), 'utf8')));
  t.deepEqual(scripts, []);
});

test('publint finds nothing to say', async (t) => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
  t.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

test('the types are right for every way to resolve them', async (t) => {
  const check = run(join(BIN, 'attw'), [tarball, '--profile', 'esm-only', '--no-color'], { env });
  await t.notThrowsAsync(check.catch((error) => Promise.reject(new Error(error.stdout))));
});
