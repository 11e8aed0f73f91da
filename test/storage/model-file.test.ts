import test from 'ava';
import {
  type CutPolicy,
  ModelFile,
  SECTOR_BYTES,
  seededRandom,
} from '../../src/storage/model-file.ts';

function filled(sectors: number, value: number): Uint8Array {
  return new Uint8Array(sectors * SECTOR_BYTES).fill(value);
}

/** First byte of each sector. */
function sectorsOf(file: ModelFile): number[] {
  const content = new Uint8Array(file.size);
  file.read(content, 0);
  return Array.from({ length: file.size / SECTOR_BYTES }, (_, i) => content[i * SECTOR_BYTES]);
}

/** What 500 power cuts leave, each outcome once. */
function outcomes(file: ModelFile, policy: CutPolicy): string[] {
  const found = new Set<string>();
  for (let seed = 0; seed < 500; seed++) {
    found.add(sectorsOf(file.afterPowerCut(policy, seededRandom(seed))).join());
  }
  return [...found].sort();
}

/** Two synced sectors of ones, then both overwritten with twos, then the second with threes. */
function overwritten(): ModelFile {
  const file = new ModelFile();
  file.write(filled(2, 1), 0);
  file.sync();
  file.write(filled(2, 2), 0);
  file.write(filled(1, 3), SECTOR_BYTES);
  return file;
}

test('the same seed gives the same numbers, another seed others', (t) => {
  const numbers = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
  t.deepEqual(numbers(7), numbers(7));
  t.notDeepEqual(numbers(7), numbers(8));
  t.true(numbers(7).every((number) => number >= 0 && number < 1));
});

test('what was synced survives every power cut', (t) => {
  const file = overwritten();
  file.sync();
  for (const policy of ['nothing', 'everything', 'prefix', 'any', 'garbled'] as const) {
    t.deepEqual(outcomes(file, policy), ['2,3'], policy);
  }
});

test('of what was not synced, every mixture of sectors may survive', (t) => {
  const file = overwritten();
  t.deepEqual(outcomes(file, 'nothing'), ['1,1']);
  t.deepEqual(outcomes(file, 'everything'), ['2,3']);
  t.deepEqual(outcomes(file, 'prefix'), ['1,1', '2,2', '2,3']);
  t.deepEqual(outcomes(file, 'any'), ['1,1', '1,2', '1,3', '2,1', '2,2', '2,3']);
  t.true(outcomes(file, 'garbled').length > 6);
});

test('a file that was never synced may be empty or of any length it had', (t) => {
  const file = new ModelFile();
  file.write(filled(1, 1), 0);
  file.write(filled(1, 2), SECTOR_BYTES);
  t.deepEqual(outcomes(file, 'any'), ['', '0', '0,0', '0,2', '1', '1,0', '1,2']);
});

test('a truncation that was not synced may be undone', (t) => {
  const file = new ModelFile();
  file.write(filled(2, 1), 0);
  file.sync();
  file.truncate(SECTOR_BYTES);
  t.is(file.size, SECTOR_BYTES);
  t.true(outcomes(file, 'any').includes('1,1'));
  t.true(outcomes(file, 'any').includes('1'));
  file.sync();
  t.deepEqual(outcomes(file, 'any'), ['1']);
  file.truncate(2 * SECTOR_BYTES);
  t.deepEqual(sectorsOf(file), [1, 0]);
});

test('a sync that failed loses what it was to write, and no later sync brings it back', (t) => {
  const file = overwritten();
  file.lose();
  t.deepEqual(sectorsOf(file), [2, 3], 'the page cache still shows it');
  file.sync();
  t.true(outcomes(file, 'any').includes('1,1'));
  t.deepEqual(outcomes(file, 'nothing'), ['1,1']);
  file.write(filled(2, 4), 0);
  file.sync();
  t.deepEqual(outcomes(file, 'any'), ['4,4'], 'unless it is written again');
});

test('a copy goes its own way', (t) => {
  const file = overwritten();
  const copy = file.clone();
  t.deepEqual(outcomes(copy, 'any'), outcomes(file, 'any'));
  copy.write(filled(2, 9), 0);
  copy.sync();
  t.deepEqual(sectorsOf(file), [2, 3]);
  t.deepEqual(outcomes(file, 'nothing'), ['1,1']);
});
