import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { seededRandom } from '../../../src/storage/model-file.ts';
import { drawFault, FAULTS } from '../../../stress/soak/faults.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const SHIM = join(import.meta.dirname, '../../../stress/soak/shim.ts');
const SHIMMED = join(import.meta.dirname, 'shimmed.ts');

test('faults come to pass below the storage, where they are asked for, and end', async (t) => {
  const env = { ...process.env, OMENDB_SOAK_DATA: temporaryDirectory(t) };
  const args = ['--import', pathToFileURL(SHIM).href, SHIMMED];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  t.deepEqual(JSON.parse(stdout), {
    otherSync: '',
    failedSync: 'OMEN_IO',
    nextSync: '',
    read: 2000,
    whole: true,
    overwritten: '',
    fits: '',
    noRoom: 'OMEN_DISK_FULL',
    cutAt: 2600,
    roomOfNothing: 0,
    roomAgain: '',
    firstRead: '',
    secondRead: 'OMEN_IO',
    thirdRead: 'OMEN_IO',
    lastRead: '',
    later: true,
    back: true,
    latest: true,
    sets: 4,
    injected: { sync: true, delay: false, short: true, read: true, full: true },
  });
});

test('faults follow from the seed, all of them come, and kills only where they may', (t) => {
  const draw = (seed: number, mayKill: boolean) => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, () => drawFault(random, mayKill));
  };
  t.deepEqual(draw(3, true), draw(3, true));
  t.notDeepEqual(draw(3, true), draw(4, true));
  t.is(new Set(draw(3, true)).size, FAULTS.length);
  t.true(draw(3, false).every(({ kills }) => !kills));
});
