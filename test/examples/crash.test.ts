import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { demandIntact, type Findings, verify } from '../../examples/time-series/crash.ts';
import { numberAt, openSeries, rowOf, timeOf } from '../../examples/time-series/series.ts';
import { RUN_ROWS, runsIn, writeSeries } from '../../examples/time-series/write.ts';

const ROWS = 3 * RUN_ROWS + 10;

async function writtenSeries(teardown: (fn: () => Promise<void>) => void) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-series-test-'));
  const db = await openSeries(directory);
  teardown(async () => {
    await db.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const acknowledged = new Uint8Array(runsIn(ROWS));
  await writeSeries(db, { rows: ROWS, firstRun: 0, threads: 2 }, (run) => {
    acknowledged[run]++;
  });
  const check = (): Promise<Findings> => verify(db, ROWS, acknowledged, async () => {});
  return { db, acknowledged, check };
}

test('several threads write every row once, and each run is reported once', async (t) => {
  const { db, acknowledged, check } = await writtenSeries((fn) => t.teardown(fn));
  t.deepEqual([...acknowledged], [1, 1, 1, 1]);
  t.is(db.count(), ROWS);
  const findings = await check();
  t.deepEqual(findings, { acknowledged: ROWS, found: ROWS, lost: 0, wrong: 0 });
  t.notThrows(() => demandIntact(findings));
});

test('an acknowledged row that is missing is found missing', async (t) => {
  const { db, check } = await writtenSeries((fn) => t.teardown(fn));
  await db.del(timeOf(ROWS - 1));
  const findings = await check();
  t.like(findings, { found: ROWS - 1, lost: 1, wrong: 0 });
  t.throws(() => demandIntact(findings), { message: /DATA LOSS/ });
});

test('a row that is missing but was not acknowledged is no loss', async (t) => {
  const { db, acknowledged, check } = await writtenSeries((fn) => t.teardown(fn));
  acknowledged[1] = 0;
  await db.del(timeOf(RUN_ROWS));
  t.like(await check(), { acknowledged: ROWS - RUN_ROWS, lost: 0, wrong: 0 });
});

test('a changed row and a row that nobody wrote are found wrong', async (t) => {
  const { db, check } = await writtenSeries((fn) => t.teardown(fn));
  await db.put(timeOf(5), { ...rowOf(5), sensor: 6 });
  await db.put(timeOf(ROWS), rowOf(ROWS));
  const findings = await check();
  t.like(findings, { found: ROWS + 1, lost: 1, wrong: 2 });
  t.throws(() => demandIntact(findings), { message: /DATA LOSS/ });
});

test('times rise with the number of their row, and tell it', (t) => {
  for (let n = 0; n < 10_000; n++) {
    t.true(timeOf(n) < timeOf(n + 1));
    t.is(numberAt(timeOf(n)), n);
  }
});
