/** What Prometheus is told, held to what `stats()` tells and to the rules of Prometheus. */
import test from 'ava';
import { Registry } from 'prom-client';
import { type Database, open } from '../../src/index.ts';
import type { AttachedTask } from './attached-tasks.ts';
import { faultsOf, findPromtool } from './promtool.ts';
import { messageOf, NUMBERS, openNew, startWorker, temporaryDirectory, until } from './support.ts';

const row = (value: number) => ({ value });

interface Parsed {
  readonly types: ReadonlyMap<string, string>;
  /** By name and labels, as they stand. */
  readonly samples: ReadonlyMap<string, number>;
}

/** Reads the text format; every line has to be one that it knows, and no sample comes twice. */
function parse(text: string): Parsed {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
    const sample = /^(omendb_\w+(?:\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})?) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1], type[2]);
    else if (sample !== null) {
      const [, name, value] = sample;
      if (samples.has(name)) throw new Error(`${name} is there twice.`);
      if (!Number.isFinite(Number(value))) throw new Error(line);
      samples.set(name, Number(value));
    } else if (line !== '' && !/^# HELP omendb_\w+ .{10,}$/.test(line)) throw new Error(line);
  }
  return { types, samples };
}

async function used(db: Database<number, { value: number }, number, { value: number }>) {
  await Promise.all(Array.from({ length: 300 }, (_, i) => db.put(i, row(i))));
  await db.del(1);
  await db.batch([1, 2, 3].map((key) => ({ type: 'put', key, value: row(key) })));
  await db.put(1, row(1), { if: 'absent' }).catch(() => {});
  await db.flush();
  for (let i = 0; i < 5000; i++) db.get(i % 300);
  db.getMany([1, 2, 3]);
  await db.scan().toTable();
  await db.bulkLoad([[9, row(9)]]);
  await db.compact();
}

test('metrics say what stats() says, in base units, as text that parses', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await used(db);
  await until(() => db.stats().total.puts === 303);
  const registry = await db.metrics();
  const { types, samples } = parse(await registry.metrics());
  const { operations, total, shards, errors, commits } = db.stats();
  t.is(samples.get('omendb_operations_total{operation="get"}'), 5000);
  for (const [name, { calls, rows, ns }] of Object.entries(operations)) {
    t.is(samples.get(`omendb_operations_total{operation="${name}"}`), calls);
    t.is(samples.get(`omendb_operation_rows_total{operation="${name}"}`), rows);
    if (calls === 0) continue;
    const duration = 'omendb_operation_duration_seconds';
    t.is(samples.get(`${duration}_count{operation="${name}"}`), ns.count);
    t.is(samples.get(`${duration}_sum{operation="${name}"}`), ns.sum / 1e9);
  }
  t.deepEqual(errors, { OMEN_CONDITION_FAILED: 1 });
  t.is(samples.get('omendb_errors_total{code="OMEN_CONDITION_FAILED"}'), 1);
  for (const { shard, rows, puts, flushes, logWrittenBytes } of shards) {
    t.is(samples.get(`omendb_rows{shard="${shard}"}`), rows);
    t.is(samples.get(`omendb_shard_serving{shard="${shard}"}`), 1);
    t.is(samples.get(`omendb_flushes_total{shard="${shard}"}`), flushes);
    t.is(samples.get(`omendb_shard_operations_total{shard="${shard}",operation="put"}`), puts);
    t.is(samples.get(`omendb_written_bytes_total{shard="${shard}",by="log"}`), logWrittenBytes);
  }
  t.is(samples.get('omendb_commit_records_sum'), total.lsn);
  t.is(samples.get('omendb_sync_duration_seconds_count'), commits.syncNs.count);
  t.is(samples.get('omendb_tier_runs{tier="3"}'), 2, 'two runs of 64 to 255 rows');
  t.true((samples.get('omendb_memory_bytes{kind="heap"}') ?? 0) > 1e6);
  for (const [name, type] of types) {
    t.is(/_total$/.test(name), type === 'counter', name);
    t.regex(name, /^omendb_[a-z_]+$/);
  }
});

test('buckets of histograms only grow, to the number of all', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await used(db);
  const registry = await db.metrics();
  const { types, samples } = parse(await registry.metrics());
  const last = new Map<string, number>();
  for (const [name, value] of samples) {
    if (!name.includes('_bucket{')) continue;
    const series = name.replace(/,?le="[^"]*"/, '').replace('{}', '');
    t.true(value >= (last.get(series) ?? 0), name);
    last.set(series, value);
    if (name.includes('+Inf')) t.true(value === samples.get(series.replace('_bucket', '_count')));
  }
  const histograms = [...types].filter(([, type]) => type === 'histogram');
  t.true(last.size >= histograms.length);
  t.is(samples.get('omendb_batch_operations_bucket{le="3"}'), 1);
  t.is(samples.get('omendb_batch_operations_bucket{le="1"}'), 0);
});

test('promtool finds nothing wrong', async (t) => {
  const promtool = findPromtool();
  if (promtool === null) {
    t.log('SKIPPED: there is no promtool, and the package prometheus cannot be had');
    t.pass();
    return;
  }
  const db = await openNew(t, { ...NUMBERS, shards: 3 });
  const registry = await db.metrics();
  t.is(faultsOf(promtool, await registry.metrics()), '', 'of a database that has done nothing');
  await used(db);
  t.is(faultsOf(promtool, await registry.metrics()), '');
  const [lint, broken] = ['# HELP a_ms x\n# TYPE a_ms counter\na_ms 1\n', 'a b c\n'];
  for (const text of [lint, broken]) t.not(faultsOf(promtool, text), '', 'it would find something');
});

test('a registry takes part in others, in the format of OpenMetrics, too', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  await db.put(1, row(1));
  const registry = await db.metrics();
  registry.resetMetrics();
  registry.setDefaultLabels({ database: 'a' });
  t.regex(await registry.metrics(), /omendb_operations_total\{operation="put",database="a"\} 1\n/);
  const merged = await Registry.merge([registry]).getMetricsAsJSON();
  t.true(merged.length > 40);
  const other = await db.metrics();
  other.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  t.regex(await other.metrics(), /omendb_operations_total\{operation="put"\} 1\n[\s\S]*# EOF\n$/);
});

test('once the database is closed there is nothing to scrape', async (t) => {
  const db = await open(temporaryDirectory(t), { ...NUMBERS, shards: 1 });
  const registry = await db.metrics();
  await registry.metrics();
  await db.close();
  await t.throwsAsync(registry.metrics(), { code: 'OMEN_CLOSED' });
  await t.throwsAsync(db.metrics(), { code: 'OMEN_CLOSED' });
});

test('an attached thread tells the same', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  for (let i = 0; i < 20; i++) await db.put(i, row(i));
  const data: AttachedTask = { task: 'scrape', handle: db.handle() };
  const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
  const text = await messageOf<string>(worker);
  t.is(parse(text).samples.get('omendb_operations_total{operation="put"}'), 20);
  t.is(await finished, 0);
});
