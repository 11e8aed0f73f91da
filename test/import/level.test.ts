import { join } from 'node:path';
import test from 'ava';
import { ClassicLevel } from 'classic-level';
import { fromLevel } from '../../src/import/level.ts';
import { codeOfAsync, openNew, temporaryDirectory } from '../coordinator/support.ts';

test('LevelDB: text, bytes and JSON, from a directory or a database that is open', async (t) => {
  const path = join(temporaryDirectory(t), 'level');
  const level = new ClassicLevel<string, unknown>(path, { valueEncoding: 'json' });
  for (let i = 0; i < 2500; i++) {
    await level.put(`key ${String(i).padStart(4, '0')}`, { n: i, tags: i % 2 ? ['odd'] : [] });
  }
  const isOpen = fromLevel(level, { valueEncoding: 'json' });
  t.deepEqual(await isOpen.schema(), { key: 'utf8', value: 'json' });
  await level.close();
  const db = await openNew(t, { key: 'utf8', value: 'json', shards: 2 });
  t.is((await db.bulkLoad(fromLevel(path, { valueEncoding: 'json' }))).rows, 2500);
  t.deepEqual(db.get('key 0003'), { n: 3, tags: ['odd'] });

  const columns = await openNew(t, { key: 'int64', columns: { n: 'int32' }, shards: 1 });
  const source = fromLevel(path, {
    valueEncoding: 'json',
    map: (key: string, { n }: { n: number }) => [Number(key.slice(4)), { n }] as const,
  });
  await columns.bulkLoad(source);
  t.deepEqual(columns.get(2499), { n: 2499 });

  t.deepEqual(await fromLevel(path).schema(), { key: 'utf8', value: 'utf8' });
  const text = await openNew(t, { key: 'utf8', value: 'utf8', shards: 1 });
  await text.bulkLoad(fromLevel(path));
  t.is(text.get('key 0000'), '{"n":0,"tags":[]}');
  const bytes = fromLevel(path, { keyEncoding: 'binary', valueEncoding: 'binary' });
  t.deepEqual(await bytes.schema(), { key: 'binary', value: 'binary' });
});

test('LevelDB: what is no text, or no JSON, is a bad row, and never another one', async (t) => {
  const path = join(temporaryDirectory(t), 'level');
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, {
    ...{ keyEncoding: 'view', valueEncoding: 'view' },
  });
  await level.put(Buffer.from('good'), Buffer.from('"a"'));
  await level.put(Buffer.from('wrong'), Buffer.from('{'));
  await level.put(Uint8Array.of(0xff, 1), Buffer.from('"b"'));
  await level.put(Buffer.from('\uFEFFmark'), Buffer.from('"c"'));
  await level.close();
  const source = () => fromLevel(path, { valueEncoding: 'json' });
  const db = await openNew(t, { key: 'utf8', value: 'json', shards: 1 });
  t.is(await codeOfAsync(db.bulkLoad(source())), 'OMEN_REJECTED_ROWS');
  const report = await db.bulkLoad(source(), { maxErrors: 2 });
  t.is(report.rejected, 2);
  t.deepEqual(
    [...db.entries()],
    [
      ['good', 'a'],
      ['\uFEFFmark', 'c'],
    ],
  );
});
