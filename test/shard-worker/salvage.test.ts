import { dirname } from 'node:path';
import test from 'ava';

import { seededRandom } from '../../src/storage/model-file.ts';
import { damaged, databaseAtRest, flipped, imageOf, openDamaged } from './at-rest.ts';
import { killSalvage, salvageDamaged } from './salvaged.ts';
import { Shards } from './shards.ts';

/** One kill in this many operations; all of them with OMENDB_CRASH_CASES=all. */
const STRIDE = process.env.OMENDB_CRASH_CASES === 'all' ? 1 : 7;

const kindOf = (path: string) => path.replace(/\d+/g, '').replace('/shard-', '');

test('a sound database is salvaged by leaving it alone', async (t) => {
  for (const keyKind of ['numbers', 'texts', 'expiring'] as const) {
    const database = await databaseAtRest(keyKind);
    const disk = database.disk.restart();
    const before = disk.operations;
    t.deepEqual(Shards.salvage(disk, database.expected), []);
    const changes = disk.log.slice(before).filter(({ kind }) => {
      return kind !== 'open' && kind !== 'read' && kind !== 'list';
    });
    t.deepEqual(changes, []);
    t.is(await openDamaged(database, disk), 'same');
  }
});

for (const keyKind of ['numbers', 'texts', 'expiring'] as const) {
  test(`whichever byte is flipped, what is refused can be salvaged: ${keyKind}`, async (t) => {
    const database = await databaseAtRest(keyKind);
    const random = seededRandom(7);
    const seen = new Map<string, number>();
    for (const [path, content] of imageOf(database.disk)) {
      for (let at = Math.floor(random() * 50); at < content.length; ) {
        const bits = 1 << Math.floor(random() * 8);
        const disk = flipped(database, path, at, bits);
        const result = await openDamaged(database, disk.restart());
        const dropped = await salvageDamaged(database, disk);
        if ((result === 'same') !== (dropped.length === 0)) {
          t.fail(`${path}, byte ${at}: ${result}, ${JSON.stringify(dropped)}`);
        }
        for (const { what, file } of dropped) {
          seen.set(what, (seen.get(what) ?? 0) + 1);
          // Without a file of the log, records may be missing before those that are left.
          if (file !== path && file !== dirname(path)) t.fail(`${path}, byte ${at}: ${file}`);
        }
        at += Math.ceil(content.length / 5 + random() * 50);
      }
    }
    t.deepEqual([...seen.keys()].sort(), ['log', 'manifest', 'segment']);
  });
}

test('whichever file is missing, cut off or another of its kind, the rest is salvaged', async (t) => {
  const database = await databaseAtRest('numbers');
  const image = imageOf(database.disk);
  const random = seededRandom(8);
  for (const [path, content] of image) {
    const others = [...image].filter(([other]) => other !== path && kindOf(other) === kindOf(path));
    const cuts = [0, 1, content.length >>> 1, content.length - 1, random() * content.length];
    const replacements = [null, ...cuts.map((length) => content.slice(0, length)), others[0]?.[1]];
    for (const replacement of replacements) {
      if (replacement === undefined) continue;
      const disk = damaged(database, [[path, replacement]]);
      const result = await openDamaged(database, disk.restart());
      const dropped = await salvageDamaged(database, disk);
      t.is(dropped.length > 0, result !== 'same', `${path}: ${result}`);
    }
  }
});

test('without manifests the shards are what they were, whatever else lies in their directories', async (t) => {
  for (const keyKind of ['numbers', 'texts'] as const) {
    const images: ReturnType<typeof imageOf>[] = [];
    const database = await databaseAtRest(keyKind, 9, (image) => images.push(image));
    const now = imageOf(database.disk);
    const lost = [...now.keys()].filter((path) => path.includes('/manifest-'));
    const removed = lost.map((path) => [path, null] as const);
    const merged = images
      .flatMap((image) => [...image])
      .filter(([path]) => path.includes('/segment-') && !now.has(path));
    t.true(merged.length > 4, `${merged.length} files of segments that were merged`);
    for (const changes of [removed, [...removed, ...merged]]) {
      const disk = damaged(database, changes);
      const dropped = Shards.salvage(disk, database.expected);
      t.deepEqual(
        dropped.map(({ what }) => what),
        ['manifest', 'manifest'],
      );
      t.is(await openDamaged(database, disk), 'same');
    }
  }
});

test('with two or three files damaged at once, each is listed, and the rest is salvaged', async (t) => {
  const database = await databaseAtRest('numbers', 5);
  const files = [...imageOf(database.disk)];
  const random = seededRandom(9);
  for (let round = 0; round < 40; round++) {
    const changes = new Map<string, Uint8Array | null>();
    for (let i = 0; i < 2 + (round % 2); i++) {
      const [path, content] = files[Math.floor(random() * files.length)];
      const changed = content.slice();
      const at = Math.floor(random() * content.length);
      changed.fill(random() * 256, at, at + 1 + Math.floor(random() ** 4 * 9000));
      changes.set(path, random() < 0.2 ? null : changed);
    }
    const disk = damaged(database, changes);
    const result = await openDamaged(database, disk.restart());
    const dropped = await salvageDamaged(database, disk);
    t.is(dropped.length > 0, result !== 'same', `round ${round}: ${result}`);
  }
});

test('salvage that is killed anywhere is done again, and forgets nothing', async (t) => {
  const database = await databaseAtRest('numbers', 4);
  const files = [...imageOf(database.disk)];
  const random = seededRandom(10);
  const fileOf = (kind: RegExp) => {
    const found = files.find(([path]) => kind.test(path));
    if (found === undefined) throw new Error(`There is no ${kind}.`);
    return found;
  };
  const flip = ([path, content]: [string, Uint8Array], at: number): [string, Uint8Array] => {
    const changed = content.slice();
    changed[at] ^= 4;
    return [path, changed];
  };
  const log = fileOf(/shard-0\/wal/);
  const segment = fileOf(/shard-1\/segment-\d+\.arrow/);
  const manifest = fileOf(/shard-1\/manifest/);
  const cases: [string, Uint8Array | null][][] = [
    [flip(log, 4096 + 60)],
    [flip(log, 20), flip(segment, 1000)],
    [flip(manifest, 30), flip(log, 4096 + 60)],
    [[manifest[0], null]],
  ];
  let kills = 0;
  for (const changes of cases) {
    kills += await killSalvage(database, damaged(database, changes), STRIDE, random);
  }
  t.true(kills > 400 / STRIDE, `${kills} kills`);
});
