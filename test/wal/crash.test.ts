/**
 * The log is killed at every operation of a scenario, in every way, the power is cut or not, it
 * recovers, goes on, and is killed again. After each recovery an oracle checks: everything
 * acknowledged as durable is there; what is there is a prefix of what was written, byte for byte,
 * ending with a whole group; and once recovery has started the log, all that it read is durable.
 */

import test from 'ava';
import { isShortage, OmenError } from '../../src/errors.ts';
import { CrashError, CrashStorage, type Fault } from '../../src/storage/crash.ts';
import { seededRandom } from '../../src/storage/model-file.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { LocalLog } from '../../src/wal/log.ts';
import { DIRECTORY, emptyDisk, openSmall, putRecord, stampOf } from './support.ts';

/** What must be found. Lives as long as the data, over all its crashes. */
class Oracle {
  /** Stamp of each record written, by LSN − 1. Stamps are never used twice. */
  readonly stamps: number[] = [];
  readonly groupEnds = new Set([0]);
  durableLsn = 0;
  /** Nothing below is needed. */
  fromLsn = 1;
  #stamp = 0;

  commit(log: LocalLog, records: number, sync: boolean): void {
    for (let i = 0; i < records; i++) {
      putRecord(log, ++this.#stamp);
      this.stamps.push(this.#stamp);
    }
    let lsn: number;
    try {
      lsn = log.commit(sync);
    } catch (error) {
      log.discard();
      if (log.failed) {
        this.groupEnds.add(this.stamps.length);
        throw error;
      }
      // It was refused, so that not even a crash may bring it back.
      this.stamps.length -= records;
      return;
    }
    this.groupEnds.add(this.stamps.length);
    if (lsn !== this.stamps.length) throw new Error(`LSN ${lsn}, not ${this.stamps.length}`);
    if (sync) this.durableLsn = lsn;
  }

  sync(log: LocalLog): void {
    log.sync();
    this.durableLsn = this.stamps.length;
  }

  rotate(log: LocalLog): void {
    try {
      log.rotate();
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
    this.durableLsn = this.stamps.length;
  }

  close(log: LocalLog): void {
    log.close();
    this.durableLsn = this.stamps.length;
  }

  truncate(log: LocalLog): void {
    this.fromLsn = this.durableLsn + 1;
    log.truncateBelow(this.fromLsn);
  }

  /**
   * Opens, checks and starts the log. Errors of the storage pass through; violations are errors of
   * their own.
   */
  recover(storage: Storage): LocalLog {
    const log = openSmall(storage);
    let next = this.fromLsn;
    const report = log.read(this.fromLsn, (views, offset, bytes, lsn) => {
      const stamp = stampOf(views, offset, bytes);
      if (lsn !== next++) throw new Violation(`LSN ${lsn}, not ${next - 1}`);
      if (stamp !== this.stamps[lsn - 1]) {
        throw new Violation(`record ${lsn} is ${stamp}, not ${this.stamps[lsn - 1]}`);
      }
    });
    const { lastLsn } = report;
    if (lastLsn !== next - 1) throw new Violation(`the log ends at ${lastLsn}, not ${next - 1}`);
    if (lastLsn < this.durableLsn) {
      throw new Violation(`the log ends at ${lastLsn}, but ${this.durableLsn} was durable`);
    }
    if (!this.groupEnds.has(lastLsn) && lastLsn >= this.fromLsn) {
      throw new Violation(`the log ends at ${lastLsn}, amid a group`);
    }
    log.start();
    if (log.durableLsn !== lastLsn) throw new Violation('what was read is not durable');
    this.stamps.length = lastLsn;
    for (const end of this.groupEnds) if (end > lastLsn) this.groupEnds.delete(end);
    this.durableLsn = lastLsn;
    return log;
  }

  clone(): Oracle {
    const copy = new Oracle();
    copy.stamps.push(...this.stamps);
    for (const end of this.groupEnds) copy.groupEnds.add(end);
    copy.durableLsn = this.durableLsn;
    copy.fromLsn = this.fromLsn;
    copy.#stamp = this.#stamp;
    return copy;
  }
}

class Violation extends Error {}

/**
 * Everything a shard does with its log: with and without syncs, growth, rotation, truncation,
 * recycling.
 */
function scenario(storage: Storage, oracle: Oracle): void {
  const log = oracle.recover(storage);
  oracle.commit(log, 3, true);
  oracle.commit(log, 1, true);
  oracle.commit(log, 2, false);
  oracle.commit(log, 5, false);
  oracle.sync(log);
  oracle.commit(log, 2, false);
  oracle.rotate(log);
  oracle.commit(log, 40, true); // grows the file
  oracle.commit(log, 1, false);
  oracle.truncate(log);
  oracle.rotate(log); // recycles
  oracle.commit(log, 2, true);
  oracle.commit(log, 2, false);
  oracle.truncate(log);
  oracle.commit(log, 1, true);
  oracle.close(log);
  const again = oracle.recover(storage);
  oracle.commit(again, 2, true);
  oracle.rotate(again);
  oracle.commit(again, 2, false);
}

type Wrap = (storage: CrashStorage) => Storage;
const asItIs: Wrap = (storage) => storage;

/**
 * Runs the scenario until it ends, or the process dies, or the log reports that it cannot go on.
 */
function runUntilDead(storage: CrashStorage, oracle: Oracle, wrap: Wrap): void {
  try {
    scenario(wrap(storage), oracle);
  } catch (error) {
    const reported = error instanceof OmenError && error.code !== 'OMEN_CORRUPT';
    if (!reported && !(error instanceof CrashError)) throw error;
  }
}

/** Number of operations of an undisturbed run. */
function operationsOfScenario(): { first: number; end: number } {
  const storage = emptyDisk();
  const first = storage.operations;
  scenario(storage, new Oracle());
  return { first, end: storage.operations };
}

/** What the machine may look like after the process died: it lives, or one of `cuts` power cuts. */
function* aftermaths(storage: CrashStorage, cuts: number, seed: number): Generator<CrashStorage> {
  yield storage.restart();
  for (let cut = 0; cut < cuts; cut++) yield storage.crash(seed * 1000 + cut);
}

/**
 * Recovers from what a crash left, twice, then goes through the scenario again and dies at an
 * operation chosen by the seed, `depth` times.
 */
function survive(storage: CrashStorage, oracle: Oracle, seed: number, depth: number, wrap: Wrap) {
  const random = seededRandom(seed);
  if (depth > 0) {
    const operation = storage.operations + Math.floor(random() * 60);
    const kill = (['before', 'torn', 'after'] as const)[Math.floor(random() * 3)];
    storage.failAt(operation, { kill });
    runUntilDead(storage, oracle, wrap);
    const next = random() < 0.3 ? storage.restart() : storage.crash(seed);
    survive(next, oracle, seed + 1, depth - 1, wrap);
    return;
  }
  oracle.recover(wrap(storage)).close();
  const again = storage.crash(seed);
  const log = oracle.recover(wrap(again));
  oracle.commit(log, 3, true);
  oracle.recover(wrap(again.crash(seed + 1))).close();
}

/** Every operation × fault; returns the number of cases. `tell` hears of each violation. */
function enumerate(
  faults: readonly Fault[],
  cuts: number,
  wrap: Wrap,
  tell: (what: string) => void,
): number {
  let cases = 0;
  const { first, end } = operationsOfScenario();
  for (let operation = first; operation <= end; operation++) {
    for (const fault of faults) {
      const storage = emptyDisk();
      const oracle = new Oracle();
      storage.failAt(operation, fault);
      let aftermath = 0;
      try {
        runUntilDead(storage, oracle, wrap);
        for (const disk of aftermaths(storage, cuts, operation)) {
          aftermath++;
          cases++;
          survive(disk, oracle.clone(), operation * 100 + aftermath, aftermath % 3, wrap);
        }
      } catch (error) {
        const where = `operation ${operation}, ${JSON.stringify(fault)}, aftermath ${aftermath}`;
        tell(`${where}: ${String(error)}`);
      }
    }
  }
  return cases;
}

test('killed at any operation, before, amid or after it, the log keeps what it acknowledged', (t) => {
  const kills: Fault[] = [{ kill: 'before' }, { kill: 'torn' }, { kill: 'after' }];
  const cases = enumerate(kills, 8, asItIs, (what) => t.fail(what));
  t.true(cases > 1000, `${cases} cases`);
});

test('whatever operation fails, once or for ever, the log keeps what it acknowledged', (t) => {
  const errors: Fault[] = ['EIO', 'ENOSPC', 'EMFILE'].flatMap((error) =>
    [false, true].map((lasting) => ({ error, lasting })),
  );
  const cases = enumerate(errors, 4, asItIs, (what) => t.fail(what));
  t.true(cases > 1000, `${cases} cases`);
});

/** A storage some of whose calls do nothing. */
function without(...calls: ('sync' | 'datasync' | 'syncDirectory')[]): Wrap {
  return (storage) => ({
    open: (path, mode) => {
      const file = storage.open(path, mode);
      for (const call of calls) if (call !== 'syncDirectory') file[call] = () => {};
      return file;
    },
    exists: (path) => storage.exists(path),
    list: (path) => storage.list(path),
    makeDirectory: (path) => storage.makeDirectory(path),
    rename: (from, to) => storage.rename(from, to),
    remove: (path) => storage.remove(path),
    syncDirectory: (path) => {
      if (!calls.includes('syncDirectory')) storage.syncDirectory(path);
    },
    freeBytes: () => storage.freeBytes(),
  });
}

for (const call of ['sync', 'datasync', 'syncDirectory'] as const) {
  test(`this harness notices when ${call} does nothing`, (t) => {
    let violations = 0;
    enumerate([{ kill: 'after' }], 8, without(call), () => violations++);
    t.true(violations > 0);
  });
}

test('this harness notices a write that did not happen', (t) => {
  let violations = 0;
  let count = 0;
  const forgetful: Wrap = (storage) => ({
    ...without()(storage),
    open: (path, mode) => {
      const file = storage.open(path, mode);
      return {
        ...file,
        write: (source, position) => {
          if (++count % 23 !== 0) file.write(source, position);
        },
      };
    },
  });
  enumerate([{ kill: 'after' }], 2, forgetful, () => violations++);
  t.true(violations > 0);
});

test('an empty directory, and one with nothing but a half-made file, is a log without records', (t) => {
  const storage = new CrashStorage();
  storage.makeDirectory(DIRECTORY);
  storage.syncDirectory('/');
  const file = storage.open(`${DIRECTORY}/wal-0000000001.log.tmp`, 'create-new');
  file.write(new Uint8Array(100).fill(1), 0);
  new Oracle().recover(storage).close();
  t.deepEqual(storage.list(DIRECTORY), ['wal-0000000001.log']);
});
