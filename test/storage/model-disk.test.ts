import test from 'ava';
import { ModelDirectory } from '../../src/storage/model-disk.ts';
import { ModelFile, seededRandom } from '../../src/storage/model-file.ts';

function file(value: number): ModelFile {
  const made = new ModelFile();
  made.write(Uint8Array.of(value), 0);
  made.sync();
  return made;
}

/** Names with the first byte of their file, as `a=1 b=2`. */
function shown(directory: ModelDirectory): string {
  const names = [...directory.entries].map(([name, node]) => {
    const content = new Uint8Array(1);
    if (node instanceof ModelFile) node.read(content, 0);
    return node instanceof ModelFile ? `${name}=${content[0]}` : `${name}/${shown(node)}`;
  });
  return names.sort().join(' ');
}

function outcomes(
  directory: ModelDirectory,
  names: 'nothing' | 'everything' | 'prefix' | 'any',
): string[] {
  const found = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    found.add(shown(directory.afterPowerCut(names, 'nothing', seededRandom(seed))));
  }
  return [...found].sort();
}

test('a file that was synced vanishes with its name, if the directory was not', (t) => {
  const directory = new ModelDirectory();
  directory.add('a', file(1));
  t.deepEqual(outcomes(directory, 'any'), ['', 'a=1']);
  directory.sync();
  t.deepEqual(outcomes(directory, 'any'), ['a=1']);
});

test('a rename is undone or done as a whole, and never without the creation of what it renames', (t) => {
  const directory = new ModelDirectory();
  directory.add('a', file(1));
  directory.sync();
  directory.add('a.tmp', file(2));
  directory.rename('a.tmp', 'a');
  t.is(shown(directory), 'a=2');
  t.deepEqual(outcomes(directory, 'any'), ['a.tmp=2 a=1', 'a=1', 'a=2']);
  t.deepEqual(outcomes(directory, 'nothing'), ['a=1']);
  t.deepEqual(outcomes(directory, 'everything'), ['a=2']);
  t.deepEqual(outcomes(directory, 'prefix'), ['a.tmp=2 a=1', 'a=1', 'a=2']);
});

test('steps that have nothing in common are kept or lost in any combination', (t) => {
  const directory = new ModelDirectory();
  directory.add('a', file(1));
  directory.add('b', file(2));
  directory.sync();
  directory.remove('a');
  directory.remove('b');
  t.deepEqual(outcomes(directory, 'any'), ['', 'a=1', 'a=1 b=2', 'b=2']);
});

test('a directory sync that failed leaves its steps undecided until something builds on them', (t) => {
  const directory = new ModelDirectory();
  directory.add('a', file(1));
  directory.add('b', file(2));
  directory.lose();
  directory.sync();
  t.deepEqual(outcomes(directory, 'any'), ['', 'a=1', 'a=1 b=2', 'b=2']);
  directory.rename('a', 'c');
  directory.sync();
  t.deepEqual(outcomes(directory, 'any'), ['b=2 c=1', 'c=1']);
});

test('a directory whose name is lost takes along what is in it', (t) => {
  const root = new ModelDirectory();
  const shard = new ModelDirectory();
  root.add('shard', shard);
  shard.add('a', file(1));
  shard.sync();
  t.deepEqual(outcomes(root, 'any'), ['', 'shard/a=1']);
  root.sync();
  t.deepEqual(outcomes(root, 'any'), ['shard/a=1']);
});

test('a copy keeps what is undecided, and goes its own way', (t) => {
  const directory = new ModelDirectory();
  directory.add('a', file(1));
  directory.sync();
  directory.rename('a', 'b');
  const copy = directory.clone();
  t.deepEqual(outcomes(copy, 'any'), ['a=1', 'b=1']);
  copy.remove('b');
  copy.sync();
  t.is(shown(directory), 'b=1');
  t.deepEqual(outcomes(directory, 'any'), ['a=1', 'b=1']);
  t.deepEqual(outcomes(copy, 'any'), ['']);
});
