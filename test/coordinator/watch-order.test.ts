/** Watches over logs that are written by hand: every order in which shards can get on. */
import test from 'ava';
import { ClientMeter } from '../../src/coordinator/client-meter.ts';
import type { Membership } from '../../src/coordinator/membership.ts';
import { formatPosition, type Position, parsePosition } from '../../src/coordinator/position.ts';
import { parseIteration } from '../../src/coordinator/range.ts';
import { Reader } from '../../src/coordinator/reader.ts';
import type { Change } from '../../src/coordinator/shard-changes.ts';
import { Watch } from '../../src/coordinator/watch.ts';
import { Watchers } from '../../src/coordinator/watchers.ts';
import { KeyCodec } from '../../src/schema/key.ts';
import { RowEncoder } from '../../src/schema/row.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import {
  batchName,
  COMMITTED_FLAG,
  DECISION,
  DECISION_BYTES,
  type Epoch,
  OPERATION_BYTES,
  PART,
  PUT,
  partBytes,
} from '../../src/shard-worker/records.ts';
import { CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { type LocalLog, openLocalLog } from '../../src/wal/log.ts';
import { codeOf } from '../storage/support.ts';

const SHARDS = 3;
const DATABASE_ID = '00112233445566778899aabbccddeeff';
const NOW: Epoch = { lo: 7, hi: 8 };
const BEFORE: Epoch = { lo: 5, hi: 6 };
const SCHEMA = parseSchema({ key: 'int64', columns: { value: 'float64' } });

/** Sleeps until the test says so: what a watch does in between has an end. */
class Latched extends Watchers {
  #wake: (() => void) | null = null;
  #onSleep: (() => void) | null = null;

  override waitSince(): Promise<void> {
    this.#onSleep?.();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Wakes the watch; resolves when it sleeps again. */
  asleepAgain(): Promise<void> {
    const asleep = new Promise<void>((resolve) => {
      this.#onSleep = resolve;
    });
    this.#wake?.();
    this.#wake = null;
    return asleep;
  }
}

/** Shards that are nothing but logs, and a client that watches them. */
class Logs {
  readonly control = new Control(createControl());
  readonly storage = new CrashStorage();
  readonly logs: LocalLog[] = [];
  readonly membership: Membership = {
    control: this.control,
    epoch: NOW,
    schema: SCHEMA,
    client: 0,
    path: '/data',
    databaseId: DATABASE_ID,
    bigints: false,
    readOnly: false,
    shards: SHARDS,
    salvaged: [],
    partitioning: { kind: 'hash' },
    splits: [],
    threadOf: [0, 0, 0],
    memoryBytes: 2 ** 20,
    slowMs: Number.POSITIVE_INFINITY,
    operationsMax: 100,
    batchBytesMax: 2 ** 20,
  };
  readonly reader = new Reader(
    this.membership,
    new ClientMeter(this.membership),
    () => {},
    realStorage,
  );
  readonly watchers = new Latched(this.membership);
  readonly #key = new KeyCodec('int64', false);
  readonly #row = new RowEncoder(SCHEMA);

  constructor() {
    this.storage.makeDirectory('/data');
    for (let shard = 0; shard < SHARDS; shard++) {
      const directory = `/data/shard-000${shard}`;
      this.storage.makeDirectory(directory);
      const databaseId = Uint8Array.from(Buffer.from(DATABASE_ID, 'hex'));
      const options = { pieceBytes: 16 * 1024 };
      const log = openLocalLog(this.storage, directory, { databaseId, shard }, options);
      log.read(1, () => {});
      log.start();
      this.logs.push(log);
    }
  }

  /** Adds records to the group of a shard, which `commit` writes. */
  puts(shard: number, ...keys: number[]): void {
    const log = this.logs[shard];
    for (const key of keys) {
      this.#key.encode(key);
      const rowBytes = this.#row.encode({ value: key });
      const at = log.reserve(OPERATION_BYTES + rowBytes) >>> 2;
      log.u32.set([PUT, this.#key.lo, this.#key.hi], at + 1);
      log.u32.set(this.#row.views.u32.subarray(0, rowBytes >>> 2), at + OPERATION_BYTES / 4);
    }
  }

  part(shard: number, epoch: Epoch, ticket: number, shards: number[], ...keys: number[]): void {
    const log = this.logs[shard];
    const at = log.reserve(partBytes(shards.length)) >>> 2;
    const head = [PART, ticket, epoch.lo, epoch.hi, keys.length, shards.length, ...shards];
    log.u32.set(head, at + 1);
    this.puts(shard, ...keys);
  }

  decision(shard: number, epoch: Epoch, ticket: number, isCommitted: boolean): void {
    const log = this.logs[shard];
    const at = log.reserve(DECISION_BYTES) >>> 2;
    const type = DECISION | (isCommitted ? COMMITTED_FLAG : 0);
    log.u32.set([type, ticket, epoch.lo, epoch.hi], at + 1);
  }

  /** Commits the groups of these shards, of all by default, and tells of it. */
  commit(...shards: number[]): void {
    for (const shard of shards.length > 0 ? shards : [0, 1, 2]) {
      this.logs[shard].commit(true);
      this.control.logs.setDurableLsn(shard, this.logs[shard].durableLsn);
    }
  }

  /** A batch of this open of the database: to be decided by `vote`. */
  ticket(...shards: number[]): number {
    return this.control.table.take(shards, 0, 1);
  }

  watch(from: Position = beginning()): Told {
    const { membership, storage, reader, watchers } = this;
    const range = parseIteration(undefined, reader.key);
    return new Told(
      new Watch({
        ...{ membership, storage, reader, watchers, range },
        from: () => from,
        signal: undefined,
      }),
      watchers,
    );
  }
}

function beginning(): Position {
  return at([0, 0, 0]);
}

function at(
  lsns: number[],
  fromLsns = lsns.map((lsn) => lsn + 1),
  open: string[] = [],
  durableLsns = lsns,
): Position {
  const shards = lsns.map((lsn, i) => {
    return { lsn, fromLsn: fromLsns[i], durableLsn: durableLsns[i] };
  });
  return { shards, open: new Set(open) };
}

/** A watch, and what it tells by now. */
class Told {
  readonly watch: Watch;
  readonly #watchers: Latched;
  #groups: number[][] = [];
  #isReading = false;

  constructor(watch: Watch, watchers: Latched) {
    this.watch = watch;
    this.#watchers = watchers;
  }

  /** The keys of each group that came since the last call. */
  async now(): Promise<number[][]> {
    const asleep = this.#watchers.asleepAgain();
    if (!this.#isReading) void this.#read();
    await asleep;
    return this.#groups.splice(0);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    for await (const { changes } of this.watch) this.#groups.push(changes.map(keyOf));
  }
}

function keyOf(change: Change): number {
  return change.type === 'put' ? (change.key as number) : Number.NaN;
}

function committed(logs: Logs, ticket: number, ...shards: number[]): void {
  for (const shard of shards) logs.control.table.vote(ticket, shard);
}

test('what stands behind a part waits for its batch, other shards do not', async (t) => {
  const logs = new Logs();
  const told = logs.watch();
  const ticket = logs.ticket(0, 1);
  logs.puts(0, 1, 2);
  logs.part(0, NOW, ticket, [0, 1], 3, 4);
  logs.puts(0, 5);
  logs.commit(0);
  t.deepEqual(await told.now(), [[1, 2]]);
  logs.puts(1, 6);
  logs.puts(2, 7);
  logs.commit(1, 2);
  t.deepEqual((await told.now()).sort(), [[6], [7]]);
  logs.puts(1, 8);
  logs.part(1, NOW, ticket, [0, 1], 9);
  // Its part is durable before anybody is told that it is.
  logs.logs[1].commit(true);
  committed(logs, ticket, 0, 1);
  t.deepEqual(await told.now(), []);
  logs.commit(1);
  t.deepEqual(await told.now(), [[8], [3, 4, 9], [5]]);
});

test('a batch that was aborted is passed over by every shard that has a part', async (t) => {
  const logs = new Logs();
  const told = logs.watch();
  const [one, two] = [logs.ticket(0, 1), logs.ticket(0, 1)];
  logs.part(0, NOW, one, [0, 1], 1);
  logs.part(0, NOW, two, [0, 1], 2);
  logs.part(1, NOW, two, [0, 1], 3);
  logs.puts(0, 4);
  logs.puts(1, 5);
  logs.commit();
  t.deepEqual(await told.now(), []);
  logs.control.table.abort(one);
  t.deepEqual(await told.now(), []);
  committed(logs, two, 0, 1);
  t.deepEqual((await told.now()).sort(), [[2, 3], [4], [5]]);
});

test('of a batch that the table does not know, the log tells the outcome further on', async (t) => {
  const logs = new Logs();
  const told = logs.watch();
  logs.part(0, BEFORE, 1, [0, 1], 1);
  logs.puts(0, 2);
  logs.part(1, BEFORE, 1, [0, 1], 3);
  logs.part(1, BEFORE, 2, [1, 2], 4);
  logs.part(2, BEFORE, 2, [1, 2], 5);
  logs.commit();
  t.deepEqual(await told.now(), []);
  logs.decision(0, BEFORE, 1, true);
  logs.puts(2, 6);
  logs.commit();
  t.deepEqual(await told.now(), [[1, 3], [2]]);
  logs.logs[1].rotate();
  logs.logs[2].rotate();
  logs.decision(1, BEFORE, 1, true);
  logs.decision(1, BEFORE, 2, false);
  logs.decision(2, BEFORE, 2, false);
  logs.puts(1, 7);
  logs.commit();
  t.deepEqual((await told.now()).sort(), [[6], [7]]);
});

test('parts that a power cut took keep nothing of the others for ever', async (t) => {
  const logs = new Logs();
  const told = logs.watch();
  // Shard 1 lost its part of batch 1, shard 2 that of batch 2; all know that they were committed.
  logs.part(0, BEFORE, 1, [0, 1], 1);
  logs.part(0, BEFORE, 2, [0, 1, 2], 2);
  logs.part(1, BEFORE, 2, [0, 1, 2], 3);
  logs.puts(2, 4);
  logs.commit();
  for (const shard of [0, 1, 2]) logs.decision(shard, BEFORE, 1, true);
  for (const shard of [0, 1, 2]) logs.decision(shard, BEFORE, 2, true);
  logs.puts(0, 5);
  logs.commit();
  const groups = await told.now();
  t.deepEqual(
    groups.filter(([key]) => key !== 4),
    [[1], [2, 3], [5]],
  );
  t.is(groups.length, 4);
});

test('of a batch of now, no part is handed out before all are there', async (t) => {
  const logs = new Logs();
  const told = logs.watch();
  const ticket = logs.ticket(0, 1);
  logs.part(0, NOW, ticket, [0, 1], 1);
  committed(logs, ticket, 0, 1);
  logs.decision(0, NOW, ticket, true);
  logs.commit();
  t.deepEqual(await told.now(), []);
  logs.part(1, NOW, ticket, [0, 1], 2);
  logs.commit(1);
  t.deepEqual(await told.now(), [[1, 2]]);
});

test('from the position of a snapshot, what was undecided then comes, and nothing else of before', async (t) => {
  const logs = new Logs();
  const [one, two, three] = [logs.ticket(0, 1), logs.ticket(0, 2), logs.ticket(1, 2)];
  logs.puts(0, 1);
  logs.part(0, NOW, one, [0, 1], 2);
  logs.part(0, NOW, two, [0, 2], 3);
  logs.puts(0, 4);
  logs.puts(2, 5);
  logs.part(2, NOW, two, [0, 2], 6);
  logs.commit();
  committed(logs, two, 0, 2);
  const lsns = logs.logs.map((log) => log.lastLsn);
  // One is undecided and has a part in shard 0, three has none yet, nor will it.
  const open = [one, three].map((ticket) => batchName(NOW, ticket));
  const position = at(lsns, [2, 1, 3], open);
  const text = formatPosition(logs.membership, position);
  t.deepEqual(parsePosition(logs.membership, text), position);
  const told = logs.watch(position);
  t.deepEqual(await told.now(), []);
  t.is(told.watch.position, text);
  logs.control.table.abort(three);
  logs.part(1, NOW, one, [0, 1], 7);
  logs.puts(1, 8);
  committed(logs, one, 0, 1);
  logs.commit();
  t.deepEqual(await told.now(), [[2, 7], [8]]);
  logs.puts(0, 9);
  logs.commit();
  t.deepEqual(await told.now(), [[9]]);
  const { open: left, shards } = parsePosition(logs.membership, told.watch.position);
  t.deepEqual([...left], [], 'what came to nothing is not carried on');
  t.deepEqual(
    shards.map(({ lsn }) => lsn),
    logs.logs.map((log) => log.lastLsn),
  );
});

test('a batch that was undecided and is aborted since leaves nothing', async (t) => {
  const logs = new Logs();
  const ticket = logs.ticket(0, 1);
  logs.part(0, NOW, ticket, [0, 1], 1);
  logs.part(1, NOW, ticket, [0, 1], 2);
  logs.puts(0, 3);
  logs.commit();
  const told = logs.watch(at([3, 1, 0], [1, 1, 1], [batchName(NOW, ticket)]));
  t.deepEqual(await told.now(), []);
  logs.control.table.abort(ticket);
  logs.puts(0, 4);
  logs.puts(1, 5);
  logs.commit();
  t.deepEqual((await told.now()).sort(), [[4], [5]]);
});

test('the logs are kept from where the slowest watch is', async (t) => {
  const logs = new Logs();
  const board = logs.control.logs;
  const followed = () => [0, 1, 2].map((shard) => board.followedLsn(shard, [0]));
  const none = Number.POSITIVE_INFINITY;
  t.deepEqual(followed(), [none, none, none]);
  const fast = logs.watch();
  const slow = logs.watch();
  t.true(board.isWatching(0));
  logs.puts(0, 1, 2);
  logs.commit();
  await fast.now();
  t.deepEqual(followed(), [1, 1, 1]);
  await slow.watch.return();
  t.deepEqual(followed(), [3, 1, 1]);
  await fast.watch.return();
  t.deepEqual(followed(), [none, none, none]);
  t.false(board.isWatching(0));
  t.is(logs.watchers.size, 0);
});

test('positions are of this database, whole, and not ahead of it', (t) => {
  const { membership } = new Logs();
  const text = formatPosition(membership, at([0, 0, 0]));
  t.deepEqual(parsePosition(membership, text), at([0, 0, 0]));
  const refuses = (given: unknown) => codeOf(() => parsePosition(membership, given));
  t.is(
    refuses(formatPosition({ ...membership, databaseId: '0'.repeat(32) }, at([0, 0, 0]))),
    'OMEN_INVALID_POSITION',
  );
  t.is(refuses(formatPosition(membership, at([0, 0]))), 'OMEN_INVALID_POSITION');
  t.is(refuses(formatPosition(membership, at([0, 0, 1]))), 'OMEN_INVALID_POSITION', 'ahead');
  t.is(refuses(null), 'OMEN_INVALID_POSITION');
  t.is(refuses(`${text} `), 'OMEN_INVALID_POSITION');
  // Seen, but not durable when it was taken: of use in this open of the database only.
  membership.control.logs.mark(2, 1, 64, { lsn: 1, openLsn: 1, durableLsn: 0 });
  const undurable = at([0, 0, 1], [1, 1, 2], [], [0, 0, 0]);
  const early = formatPosition(membership, undurable);
  t.deepEqual(parsePosition(membership, early), undurable);
  t.is(
    codeOf(() => parsePosition({ ...membership, epoch: BEFORE }, early)),
    'OMEN_LSN_GONE',
  );
  for (const durable of [at([0, 0, 1]), undurable]) {
    // It was when the mark was read; or it is by now, and all know it.
    if (durable === undurable) membership.control.logs.setDurableLsn(2, 1);
    const late = formatPosition(membership, durable);
    t.deepEqual(parsePosition({ ...membership, epoch: BEFORE }, late), at([0, 0, 1]));
  }
});
