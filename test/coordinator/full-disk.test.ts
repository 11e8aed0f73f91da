/** Disks that are really full: small volumes in memory, where this machine lets us mount them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { open } from '../../src/index.ts';
import { codeOfAsync, SMALL, until } from './support.ts';

const BYTES = { key: 'int64', value: 'binary' } as const;

/** A volume of its own; null, and the test says so, where none can be had. */
function smallVolume(t: ExecutionContext, options: string): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-full-'));
  t.teardown(() => rmdirSync(directory));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', directory], { stdio: 'pipe' });
  } catch {
    t.log('SKIPPED: no small volume can be mounted here');
    t.pass();
    return null;
  }
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  return directory;
}

function isRow(row: unknown, key: number): boolean {
  return row instanceof Uint8Array && Buffer.compare(row, rowOf(key)) === 0;
}

function rowOf(key: number): Uint8Array {
  return new Uint8Array(4000).fill(key);
}

test('a volume that is full refuses puts and loses nothing, and goes on when there is room', async (t) => {
  const volume = smallVolume(t, 'size=48m');
  if (volume === null) return;
  const ballast = join(volume, 'ballast');
  // More than what is flushed when it is gone.
  writeFileSync(ballast, new Uint8Array(28 * 2 ** 20));
  const directory = join(volume, 'data');
  const db = await open(directory, { ...BYTES, shards: 1 });
  const told: string[] = [];
  db.on('error', ({ code }) => told.push(code));
  db.on('resumed', () => told.push('resumed'));
  const kept = new Set<number>();
  let refused = 0;
  for (let key = 0; refused < 3 && key < 10_000; key++) {
    const code = await codeOfAsync(db.put(key, rowOf(key)));
    if (code === '') kept.add(key);
    else refused++;
    t.true(['', 'OMEN_DISK_FULL'].includes(code), code);
  }
  t.true(kept.size > 1000, `${kept.size} rows`);
  const { status, shards } = db.health();
  t.is(status, 'degraded');
  t.like(shards[0], { state: 'full', reads: true, writes: 'deletes', code: 'OMEN_DISK_FULL' });
  t.not(db.stats().shards[0].state, 'failed');
  for (const key of kept) if (!isRow(db.get(key), key)) t.fail(`row ${key}`);
  rmSync(ballast);
  await until(() => db.stats().shards[0].state !== 'full');
  t.is(db.health().status, 'ok');
  t.true(db.health().shards[0].diskFreeBytes > 0);
  await until(() => told.length === 2);
  t.deepEqual(told, ['OMEN_DISK_FULL', 'resumed']);
  const first = [...kept][0];
  await db.del(first);
  await db.put(-1, rowOf(-1));
  await db.close();
  const again = await open(directory);
  t.is(again.count(), kept.size);
  t.deepEqual([again.get(first), again.get(-1)], [undefined, rowOf(-1)]);
  for (const key of kept) if (key !== first && !isRow(again.get(key), key)) t.fail(`row ${key}`);
  await again.close();
});

test('a volume without inodes refuses puts, and goes on when there are some', async (t) => {
  const volume = smallVolume(t, 'size=64m,nr_inodes=40');
  if (volume === null) return;
  const directory = join(volume, 'data');
  const db = await open(directory, { ...BYTES, shards: 1, memtable: SMALL });
  let rows = 0;
  const write = async () => {
    const code = await codeOfAsync(db.put(rows, rowOf(rows)));
    if (code === '') rows++;
    return code;
  };
  while (db.stats().total.flushes === 0) t.is(await write(), '');
  const fillers: string[] = [];
  for (;;) {
    const filler = join(volume, `filler-${fillers.length}`);
    try {
      writeFileSync(filler, '');
    } catch {
      break;
    }
    fillers.push(filler);
  }
  let code = '';
  while (code === '' && rows < 10_000) code = await write();
  t.is(code, 'OMEN_DISK_FULL');
  // What a shard counts it tells now and then.
  await until(() => db.stats().total.postponed >= 1);
  for (const filler of fillers) rmSync(filler);
  await until(() => db.stats().shards[0].state !== 'full');
  t.is(db.stats().shards[0].state, 'serving');
  for (let i = 0; i < 100; i++) t.is(await write(), '');
  await db.close();
  const again = await open(directory);
  t.is(again.count(), rows);
  for (let key = 0; key < rows; key++) if (!isRow(again.get(key), key)) t.fail(`row ${key}`);
  await again.close();
});

test('a load that fills the volume is refused, leaves nothing, and the next one has room', async (t) => {
  const volume = smallVolume(t, 'size=48m');
  if (volume === null) return;
  const directory = join(volume, 'data');
  const db = await open(directory, { ...BYTES, shards: 2, threads: 1 });
  await db.put(1, rowOf(1));
  const names = () => (readdirSync(directory, { recursive: true }) as string[]).toSorted();
  const isOfLoad = (name: string) => /(^load-|segment-)/.test(basename(name));
  let most = 0;
  function* shuffled(count: number) {
    for (let i = 0; i < count; i++) {
      if (i % 1000 === 0) most = Math.max(most, names().filter(isOfLoad).length);
      yield [(i * 7919) % count, rowOf(i)] as const;
    }
  }
  const memory = 2 ** 20;
  t.is(await codeOfAsync(db.bulkLoad(shuffled(40_000), { memory })), 'OMEN_DISK_FULL');
  t.true(most > 10, `${most} files`);
  // What was put before the load is flushed, and nothing else is there.
  await db.flush();
  const segments = db.stats().total.segments;
  t.deepEqual([segments <= 1, names().filter(isOfLoad).length], [true, 2 * segments]);
  t.deepEqual([...db.keys()], [1]);
  t.is((await db.bulkLoad(shuffled(2000), { memory })).rows, 2000);
  t.is(db.count(), 2000);
  await db.put(-1, rowOf(-1));
  await db.close();
  const again = await open(directory);
  t.is(again.count(), 2001);
  await again.close();
});
