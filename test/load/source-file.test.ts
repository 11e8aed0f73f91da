import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readUnchanged } from '../../src/load/source-file.ts';
import { CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import { temporaryDirectory } from '../storage/support.ts';

type Change = (path: string) => void;

const CHANGES: Readonly<Record<string, Change | null>> = {
  nothing: null,
  'other bytes': (path) => {
    writeFileSync(path, 'z'.repeat(100));
    // However coarse the clock of the file system is.
    utimesSync(path, 1, 1);
  },
  'more bytes': (path) => writeFileSync(path, 'a'.repeat(101)),
  'fewer bytes': (path) => writeFileSync(path, 'a'.repeat(99)),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`a file that is read, and of which ${what} changes`, async (t) => {
    const path = join(temporaryDirectory(t), 'rows.csv');
    for (const fails of [false, true]) {
      writeFileSync(path, 'a'.repeat(100));
      const own = new RangeError('what came of it');
      const stream = readUnchanged(realStorage, path, async function* (file) {
        yield file.size();
        change?.(path);
        if (fails) throw own;
        yield file.size();
      });
      const sizes: number[] = [];
      const reading = (async () => {
        for await (const size of stream) sizes.push(size);
      })();
      if (change === null && !fails) {
        await reading;
        t.deepEqual(sizes, [100, 100]);
      } else if (change === null) {
        t.is(await t.throwsAsync(reading), own);
      } else {
        const error = await t.throwsAsync(reading, { code: 'OMEN_INVALID_SOURCE' });
        t.regex(error?.message ?? '', /rows\.csv was changed while it was read/);
        t.is(error?.cause, fails ? own : undefined);
      }
    }
  });
}

test('who stops early is told nothing', async (t) => {
  const storage = new CrashStorage();
  storage.makeDirectory('d');
  const file = storage.open('d/a', 'create-new');
  file.write(Uint8Array.of(1), 0);
  for await (const one of readUnchanged(storage, 'd/a', async function* (own) {
    yield own.modifiedMs();
    yield 0;
  })) {
    t.is(one, 1);
    file.write(Uint8Array.of(2), 0);
    break;
  }
  t.is(file.modifiedMs(), 2);
});
