import test from 'ava';
import { seededRandom } from '../../src/storage/model-file.ts';
import { checkDamaged, damaged, databaseAtRest, flipped, imageOf, openDamaged } from './at-rest.ts';

/** One byte in this many; all of them with OMENDB_CRASH_CASES=all. */
const STRIDE = process.env.OMENDB_CRASH_CASES === 'all' ? 1 : 37;

/** Of a prewritten log, most is zeros that nobody reads: of those, few. */
function* placesIn(path: string, content: Uint8Array): Generator<number> {
  for (let at = 0; at < content.length; at += STRIDE) {
    const isVoid =
      path.includes('/wal-') && content.subarray(at, at + 8).every((byte) => byte === 0);
    if (!isVoid || at % 64 < STRIDE) yield at;
  }
}

for (const keyKind of ['numbers', 'texts'] as const) {
  test(`whichever byte is flipped, no answer is wrong, with ${keyKind} for keys`, async (t) => {
    const database = await databaseAtRest(keyKind);
    const random = seededRandom(5);
    const seen = { same: 0, refused: 0 };
    for (const [path, content] of imageOf(database.disk)) {
      for (const at of placesIn(path, content)) {
        const disk = flipped(database, path, at, 1 << Math.floor(random() * 8));
        const result = await checkDamaged(database, disk, path);
        seen[result === 'same' ? 'same' : 'refused']++;
        // What a model file holds follows from its segment; a log may end in what nobody reads.
        const isChecked = !path.endsWith('.model.arrow') && !path.includes('/wal-');
        if (isChecked) t.not(result, 'same', `${path}, byte ${at}`);
      }
    }
    t.true(seen.same > 50 && seen.refused > 50, JSON.stringify(seen));
  });
}

test('a file that is missing is made anew or missed', async (t) => {
  const database = await databaseAtRest('numbers');
  for (const path of database.files) {
    const result = await openDamaged(database, damaged(database, [[path, null]]));
    if (path.endsWith('.model.arrow')) t.is(result, 'same', path);
    else t.not(result, 'same', path);
  }
});

test('a file cut off anywhere gives no wrong answer', async (t) => {
  const database = await databaseAtRest('numbers');
  const random = seededRandom(6);
  for (const [path, content] of imageOf(database.disk)) {
    const lengths = [0, 1, content.length - 1, content.length & -4096, content.length & -512];
    for (let i = 0; i < 12; i++) lengths.push(Math.floor(random() * content.length));
    for (const length of lengths.filter((one) => one < content.length)) {
      const cut = content.slice(0, length);
      const result = await openDamaged(database, damaged(database, [[path, cut]]));
      if (result !== 'same') t.true(result.startsWith(path), result);
      const isEnding = path.includes('/manifest-') && length === content.length - 1;
      if (!path.endsWith('.model.arrow') && !isEnding) t.not(result, 'same', `${path} ${length}`);
    }
  }
});

test('a file in the place of another of its kind is not taken for it', async (t) => {
  const database = await databaseAtRest('numbers');
  const image = imageOf(database.disk);
  const kindOf = (path: string) => path.replace(/\d+/g, '').replace('/shard-', '');
  let swaps = 0;
  for (const [a, contentA] of image) {
    for (const [b, contentB] of image) {
      if (a >= b || kindOf(a) !== kindOf(b)) continue;
      swaps++;
      for (const changes of [
        [[a, contentB]],
        [[b, contentA]],
        [
          [a, contentB],
          [b, contentA],
        ],
      ]) {
        const result = await openDamaged(
          database,
          damaged(database, changes as [string, Uint8Array][]),
        );
        if (a.endsWith('.model.arrow')) t.is(result, 'same');
        else t.true(result.startsWith(a) || result.startsWith(b), `${a} and ${b}: ${result}`);
      }
    }
  }
  t.true(swaps >= 8, `${swaps} swaps`);
});

test('a file as it once was is not taken for what it is now', async (t) => {
  const images: ReturnType<typeof imageOf>[] = [];
  const database = await databaseAtRest('numbers', 5, (image) => images.push(image));
  const now = imageOf(database.disk);
  let stale = 0;
  for (const image of images) {
    for (const [path, content] of image) {
      const current = now.get(path);
      if (current !== undefined && Buffer.from(content).equals(current)) continue;
      stale++;
      const result = await openDamaged(database, damaged(database, [[path, content]]));
      // One that was removed since is in nobody's way; a log ends too early.
      if (current !== undefined) t.true(result.startsWith(path), result);
      else if (!path.includes('/wal-')) t.is(result, 'same');
    }
    // What a file was then, under the name that it has now.
    for (const [path, content] of image) {
      if (!path.includes('/manifest-')) continue;
      const newest = [...now.keys()].find((name) => {
        return name.startsWith(path.slice(0, path.lastIndexOf('-')));
      });
      if (newest === undefined || newest === path) continue;
      stale++;
      await openDamaged(database, damaged(database, [[newest, content]]));
    }
  }
  t.true(stale > 10, `${stale} stale files`);
});
