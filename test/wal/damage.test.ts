/** Damage to what was acknowledged is refused, or told, and never read as something else. */

import test from 'ava';
import type { OmenError } from '../../src/errors.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { seededRandom } from '../../src/storage/model-file.ts';
import { BLOCK_BYTES } from '../../src/wal/header.ts';
import { codeOf } from '../storage/support.ts';
import {
  commitStamps,
  DIRECTORY,
  damage,
  emptyDisk,
  numbered,
  openSmall,
  pairs,
  recovered,
} from './support.ts';

const PATH = `${DIRECTORY}/wal-0000000001.log`;

/** Ten synced groups of three records, a block each. */
function tenGroups(): { storage: CrashStorage; content: Uint8Array } {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let group = 0; group < 10; group++) commitStamps(log, numbered(3, 100 * group + 1));
  const file = storage.open(PATH, 'read');
  const content = new Uint8Array(file.size());
  file.read(content, 0);
  return { storage, content };
}

const STAMPS = Array.from({ length: 10 }, (_, group) => numbered(3, 100 * group + 1)).flat();
const EXPECTED = STAMPS.map((stamp, i) => [i + 1, stamp]);

/**
 * Reads the log; returns 'corrupt', or how many of the expected records were read, exactly and in
 * order.
 */
function outcome(storage: CrashStorage): 'corrupt' | number {
  try {
    const { found } = recovered(storage);
    const exact = JSON.stringify(found) === JSON.stringify(EXPECTED.slice(0, found.length));
    if (!exact) throw new Error(`wrong records: ${JSON.stringify(found)}`);
    return found.length;
  } catch (error) {
    if ((error as OmenError).code === 'OMEN_CORRUPT') return 'corrupt';
    throw error;
  }
}

test('a damaged group in the middle is corruption, with file and offset', (t) => {
  for (let group = 0; group < 9; group++) {
    const { storage } = tenGroups();
    const offset = BLOCK_BYTES * (1 + group);
    damage(storage, PATH, (content) => {
      content[offset + 60] ^= 1;
    });
    t.throws(() => recovered(storage), {
      code: 'OMEN_CORRUPT',
      message: new RegExp(`wal-0000000001.log is damaged at offset ${offset}[^0-9]`),
    });
  }
});

test('a damaged last group looks like a torn tail, and is reported', (t) => {
  const { storage } = tenGroups();
  damage(storage, PATH, (content) => {
    content[10 * BLOCK_BYTES + 60] ^= 1;
  });
  const { found, report } = recovered(storage);
  t.is(found.length, 27);
  t.like(report.tail, { path: PATH, offset: 10 * BLOCK_BYTES, bytes: BLOCK_BYTES });
});

test('after a close or a rotation, damage to the last group is corruption as well', (t) => {
  for (const end of ['close', 'rotate'] as const) {
    const storage = emptyDisk();
    const { log } = recovered(storage);
    commitStamps(log, numbered(3));
    commitStamps(log, numbered(3, 4));
    log[end]();
    damage(storage, PATH, (content) => {
      content[2 * BLOCK_BYTES + 60] ^= 1;
    });
    t.throws(() => recovered(storage), { code: 'OMEN_CORRUPT', message: /offset 8192/ }, end);
  }
});

test('whichever byte is flipped, no wrong record is read, and no acknowledged one is missed in silence', (t) => {
  const { storage, content } = tenGroups();
  const used = 11 * BLOCK_BYTES;
  const lengths = new Map<number, number>();
  const view = new DataView(content.buffer);
  for (let at = BLOCK_BYTES; at < used; at += BLOCK_BYTES) {
    lengths.set(at, view.getUint32(at + 4, true));
  }
  let inPadding = 0;
  for (let i = 0; i < used; i++) {
    const block = Math.floor(i / BLOCK_BYTES) * BLOCK_BYTES;
    const length = lengths.get(block) ?? BLOCK_BYTES;
    // Padding is nobody's: one byte in fifty is enough.
    if (i - block >= length && i % 50 !== 0) continue;
    const disk = storage.restart();
    const file = disk.open(PATH, 'read-write');
    file.write(Uint8Array.of(content[i] ^ (1 << (i % 8))), i);
    file.close();
    const result = outcome(disk);
    const last = block === 10 * BLOCK_BYTES;
    const expected = i - block >= length ? 30 : last ? 27 : 'corrupt';
    if (i - block >= length) inPadding++;
    if (result !== expected) t.fail(`byte ${i}: ${result}, not ${expected}`);
  }
  t.true(inPadding > 100);
});

test('blocks that are lost, swapped, doubled or filled with noise are noticed', (t) => {
  const random = seededRandom(11);
  for (let a = 1; a <= 9; a++) {
    for (let b = 1; b <= 10; b++) {
      const block = (content: Uint8Array, number: number) =>
        content.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
      const changes: Record<string, (content: Uint8Array) => void> = {
        zeroed: (content) => block(content, a).fill(0),
        noise: (content) =>
          block(content, a).set(Uint8Array.from({ length: 4096 }, () => random() * 256)),
        doubled: (content) => block(content, a).set(block(content, b)),
        swapped: (content) => {
          const copy = block(content, a).slice();
          block(content, a).set(block(content, b));
          block(content, b).set(copy);
        },
      };
      for (const [what, change] of Object.entries(changes)) {
        if (a === b && (what === 'doubled' || what === 'swapped')) continue;
        const { storage } = tenGroups();
        damage(storage, PATH, change);
        // With the last two groups gone, nobody is left to say that the ninth was acknowledged.
        const unknown = what === 'swapped' && a === 9 && b === 10;
        t.is(outcome(storage), unknown ? 24 : 'corrupt', `${what} ${a} ${b}`);
      }
    }
  }
});

test('an old state of a file in place of the new one is noticed, as the next file begins later', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(3));
  const old = new Uint8Array(BLOCK_BYTES * 2);
  storage.open(PATH, 'read').read(old, 0);
  commitStamps(log, numbered(3, 4));
  log.rotate();
  commitStamps(log, numbered(3, 7));
  damage(storage, PATH, (content) => content.fill(0).set(old));
  t.throws(() => recovered(storage), { code: 'OMEN_CORRUPT', message: /LSN 4/ });
});

test('a torn group that was never acknowledged is cut off, whatever follows it', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(3));
  for (let group = 1; group < 6; group++) commitStamps(log, numbered(3, 3 * group + 1), false);
  damage(storage, PATH, (content) => {
    content[3 * BLOCK_BYTES + 60] ^= 1;
  });
  const { log: again, found, report } = recovered(storage);
  t.deepEqual(found, pairs(6));
  t.like(report.tail, { offset: 3 * BLOCK_BYTES, bytes: 5 * BLOCK_BYTES });
  commitStamps(again, [7]);
  again.close();
  t.deepEqual(recovered(storage).found, pairs(7), 'and stays cut off');
});

test('a damaged frame that held no record costs nothing', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(3));
  log.close();
  damage(storage, PATH, (content) => content.fill(255, 2 * BLOCK_BYTES, 3 * BLOCK_BYTES));
  t.deepEqual(recovered(storage).found, pairs(3));
});

test('salvage reads all that can be read, and lists what cannot', (t) => {
  const { storage } = tenGroups();
  damage(storage, PATH, (content) => {
    content[2 * BLOCK_BYTES + 60] ^= 1;
    content[5 * BLOCK_BYTES + 1] ^= 1;
    content.fill(0, 6 * BLOCK_BYTES, 7 * BLOCK_BYTES);
  });
  const { log, found, report } = recovered(storage, 1, { salvage: true });
  const lost = [4, 5, 6, 13, 14, 15, 16, 17, 18];
  t.deepEqual(
    found,
    EXPECTED.filter(([lsn]) => !lost.includes(lsn)),
  );
  t.deepEqual(
    report.dropped.map(({ offset, firstLsn, lastLsn }) => ({ offset, firstLsn, lastLsn })),
    [
      { offset: 2 * BLOCK_BYTES, firstLsn: 4, lastLsn: 6 },
      { offset: 5 * BLOCK_BYTES, firstLsn: 13, lastLsn: 18 },
    ],
  );
  t.is(commitStamps(log, [31]), 31);
  log.close();
  t.throws(() => recovered(storage), { code: 'OMEN_CORRUPT' }, 'the damage is still there');
  const again = recovered(storage, 31);
  t.deepEqual(again.found, [[31, 31]], 'until what was salvaged is stored elsewhere');
});

test('random damage of any kind ends in the records or in a coded error', (t) => {
  const seed = Date.now() % 1e9;
  const random = seededRandom(seed);
  const { storage, content } = tenGroups();
  for (let round = 0; round < 1500; round++) {
    const disk = storage.restart();
    const mutated = content.slice();
    for (let change = 0; change <= random() * 4; change++) {
      const at = Math.floor(random() * 12 * BLOCK_BYTES);
      const length = Math.floor(random() ** 4 * 5000);
      for (let i = at; i < Math.min(at + length + 1, mutated.length); i++) {
        mutated[i] = random() * 256;
      }
    }
    damage(disk, PATH, (target) => target.set(mutated));
    for (const salvage of [false, true]) {
      const found: number[] = [];
      try {
        openSmall(disk, { salvage }).read(1, (_views, _offset, _bytes, lsn) => found.push(lsn));
      } catch (error) {
        t.is((error as OmenError).code, 'OMEN_CORRUPT', `seed ${seed}, round ${round}`);
      }
      for (let i = 1; i < found.length; i++) {
        if (found[i] <= found[i - 1]) t.fail(`seed ${seed}, round ${round}: out of order`);
      }
    }
  }
  t.pass();
});

test('a damaged file that nothing is needed of keeps no log from being opened, and goes', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage, 1, { retain: { bytes: 1e9, ms: 1e9 } });
  for (let round = 0; round < 4; round++) {
    commitStamps(log, numbered(10, 10 * round + 1));
    log.rotate();
  }
  log.close();
  const [first, second, third] = log.files;
  for (const name of [first, third]) {
    damage(storage, `${DIRECTORY}/${name}`, (content) => {
      content[20] ^= 1;
    });
  }
  t.is(
    codeOf(() => openSmall(storage, { neededLsn: 25 })),
    'OMEN_CORRUPT',
  );
  const again = openSmall(storage, { neededLsn: 31 });
  again.read(31, () => {});
  again.start();
  t.is(again.firstLsn, 31);
  for (const name of [first, second, third]) t.false(storage.exists(`${DIRECTORY}/${name}`), name);
});
