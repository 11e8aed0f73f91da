/** The suites that Keyv publishes for its stores, all of them that are about a store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import test from 'ava';
import Keyv from 'keyv';
import { open } from '../../src/index.ts';
import { KEYV_LAYOUT, type KeyvDatabase, OmenKeyv } from '../../src/keyv.ts';
import { casesOf } from './vitest.ts';

/** How many there are in @keyv/test-suite 2.1.2: fewer would mean that some were left out. */
const CASES = { values: 38, iterator: 4 };

const SMALL = { entriesMax: 128, arenaBytes: 2 ** 17 };

let db: KeyvDatabase;

const directory = mkdtempSync(join(tmpdir(), 'omendb-keyv-suite-'));

test.before(async () => {
  db = await open(directory, { ...KEYV_LAYOUT, shards: 3, threads: 1, memtable: SMALL });
});

test.after.always(async () => {
  await db.close();
  rmSync(directory, { recursive: true });
});

const store = () => new OmenKeyv(db);

const suites = {
  values: casesOf((vitest) => keyvTestSuite(vitest as never, Keyv, store)),
  iterator: casesOf((vitest) => keyvIteratorTests(vitest as never, Keyv, store)),
};

for (const [name, cases] of Object.entries(suites)) {
  for (const one of cases) {
    // One after the other: they share a store, and some stop the clock.
    test.serial(`${name}: ${one.name}`, async (t) => {
      await t.notThrowsAsync(one.run());
    });
  }
}

test('no case of the published suites is missing', (t) => {
  t.true(suites.values.length >= CASES.values, `${suites.values.length} cases`);
  t.true(suites.iterator.length >= CASES.iterator, `${suites.iterator.length} cases`);
});
