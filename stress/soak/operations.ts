/**
 * The operations of one lane: writes of its own keys, noted in the oracle before and after, and reads of
 * all keys, judged by it. Writes are staged: a turn's are noted on disk in one go, then sent.
 *
 * A key is written by one operation at a time; where the one that was drawn is under way, another kind of
 * operation is done in its place by whoever calls.
 */
import { OmenError } from '../../src/index.ts';
import type { Random } from '../../src/storage/model-file.ts';
import type { Board, LatencyClass } from './board.ts';
import type { Sessions, Table } from './databases.ts';
import {
  indexOfKey,
  isSound,
  keyOf,
  type Layout,
  ownOf,
  type Region,
  type Row,
  rowOf,
  sessionOf,
} from './layout.ts';
import { ACKNOWLEDGED, ISSUED, type Notes, REFUSED } from './notes.ts';
import {
  ABSENT,
  EXPIRING,
  type Kind,
  kindOf,
  LIVE,
  NOTHING,
  type Oracle,
  versionOf,
} from './oracle.ts';
import type { KeyDistribution, OperationKind } from './phases.ts';
import { latestMs, WORDS, words } from './shim.ts';
import { mayBeRefused, mayBeUnknown } from './tolerance.ts';

export interface Bench {
  readonly lane: number;
  readonly layout: Layout;
  readonly oracle: Oracle;
  readonly board: Board;
  readonly table: Table;
  readonly sessions: Sessions;
  readonly random: Random;
  readonly tolerance: Int32Array;
  /** Called with what is wrong, whenever something is. */
  readonly onFault: (what: string) => void;
}

interface Change {
  readonly index: number;
  readonly word: number;
}

interface HeldSnapshot {
  readonly snapshot: ReturnType<Table['snapshot']>;
  /** What it showed when it was taken. */
  readonly seen: Map<number, number>;
  readonly untilMs: number;
}

const REFUSALS: readonly string[] = [
  'OMEN_DISK_FULL',
  'OMEN_TOO_MANY_FILES',
  'OMEN_MEMORY_FULL',
  'OMEN_BACKPRESSURE',
  'OMEN_CONDITION_FAILED',
];
const UNKNOWNS: readonly string[] = ['OMEN_OUTCOME_UNKNOWN', 'OMEN_SHARD_FAILED', 'OMEN_CLOSED'];

const MANY = 32;
const RANGE_KEYS = 48;
const SCAN_KEYS = 512;
const HELD_MAX = 2;
const SESSION_MS_MIN = 200;
const SESSION_MS_MAX = 20_000;
const LONG_MAX = 2;
/** No time that a row of the table could be judged by: none of them expires. */
const NO_TIME = { begun: 0, latest: 0 };

export class Operations {
  readonly #bench: Bench;
  #notes: Notes;
  #staged: (() => void)[] = [];
  #underWay = 0;
  #long = 0;
  #onDrained: (() => void) | null = null;
  #held: HeldSnapshot[] = [];
  /** Cohorts, or single keys, whose outcome is unknown. */
  #unknown: (readonly Change[])[] = [];
  #head = 0;
  #next = 0;
  heldMs = 5000;
  keys: KeyDistribution = 'uniform';

  constructor(bench: Bench, notes: Notes) {
    this.#bench = bench;
    this.#notes = notes;
  }

  /** Goes on with other notes. */
  turn(notes: Notes): void {
    this.#notes.close();
    this.#notes = notes;
  }

  /** Nothing may be under way, and no snapshot held. */
  end(): void {
    this.#notes.close();
  }

  get underWay(): number {
    return this.#underWay;
  }

  /**
   * Begins one operation; whether it could.
   * @param start when it was meant to begin, by performance.now()
   */
  perform(kind: OperationKind, start: number): boolean {
    const done = this.#perform(kind, start);
    if (done) this.#bench.board.count(this.#bench.lane, kind);
    return done;
  }

  #perform(kind: OperationKind, start: number): boolean {
    switch (kind) {
      case 'put':
        return this.#put(start);
      case 'del':
        return this.#del(start);
      case 'condition':
        return this.#condition(start);
      case 'batch':
        return this.#batch(start);
      case 'append':
        return this.#append(start);
      case 'trim':
        return this.#trim(start);
      case 'load':
        return this.#load(start);
      case 'session':
        return this.#session(start);
      case 'get':
        return this.#get(start);
      case 'getMany':
        return this.#getMany(start);
      case 'range':
        return this.#range(start);
      case 'scan':
        return this.#scan(start);
      case 'aggregate':
        return this.#aggregate(start);
      case 'snapshot':
        return this.#snapshot(start);
    }
  }

  /** Notes what was staged, then sends it. */
  flush(): void {
    this.#notes.flush();
    const staged = this.#staged;
    if (staged.length === 0) return;
    this.#staged = [];
    for (const send of staged) send();
  }

  /** Resolves when nothing is under way, and what came of all is noted. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onDrained = resolve));
    this.#notes.flush();
  }

  /** Looks at what each held snapshot shows once more, and lets go of those whose time has come. */
  checkHeld(all: boolean): void {
    const now = performance.now();
    const due = this.#held.filter(({ untilMs }) => all || untilMs <= now);
    this.#held = this.#held.filter((held) => !due.includes(held));
    for (const { snapshot, seen } of due) {
      for (const [index, version] of seen) {
        const found = this.#versionIn(snapshot, index);
        if (found === version) continue;
        this.#fault(index, `a held snapshot showed version ${version}, and later ${found}`);
      }
      snapshot.close();
    }
  }

  /** Reads what is there of all writes whose outcome is unknown: nothing can change it any more. */
  settleUnknown(): number {
    const unknown = this.#unknown;
    this.#unknown = [];
    for (const changes of unknown) {
      const applied = changes.map((change) => this.#settle(change));
      const known = applied.filter((one) => one !== null);
      if (known.some((one) => one !== known[0])) {
        this.#fault(changes[0].index, `of ${changes.length} changes at once a part was applied`);
      }
    }
    this.#notes.flush();
    return unknown.length;
  }

  /** Whether a change was applied; null where what is there does not tell. */
  #settle({ index, word }: Change): boolean | null {
    const { oracle } = this.#bench;
    const notes = this.#notes;
    const before = oracle.acked[index];
    if (oracle.issued[index] !== word) return null;
    const found = this.#find(index);
    const settled = oracle.settle(index, found);
    notes.add(settled === before ? REFUSED : ISSUED, index, settled);
    if (settled !== before) notes.add(ACKNOWLEDGED, index, settled);
    if (kindOf(before) === ABSENT && kindOf(word) === ABSENT) return null;
    return kindOf(word) === EXPIRING ? null : settled === word;
  }

  // Choosing keys

  #own(region: Region): { first: number; end: number } {
    return ownOf(this.#bench.layout, region, this.#bench.lane);
  }

  #drawFrom(first: number, end: number): number {
    const { random } = this.#bench;
    const count = end - first;
    if (this.keys === 'uniform') return first + Math.floor(random() * count);
    if (this.keys === 'sequential') return first + (this.#next++ % count);
    // Rank r with probability 1/r, spread over the range by a multiplicative hash.
    const rank = Math.floor(count ** random()) - 1;
    return first + ((Math.imul(rank, 0x9e3779b1) >>> 0) % count);
  }

  /** A key of our own that nothing is under way for, at or after the one drawn; -1: none was found. */
  #drawOwn(region: Region): number {
    const { first, end } = this.#own(region);
    const drawn = this.#drawFrom(first, end);
    for (let step = 0; step < 8; step++) {
      const index = drawn + step < end ? drawn + step : first + step;
      if (!this.#bench.oracle.isUnderWay(index)) return index;
    }
    return -1;
  }

  #isFree(first: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#bench.oracle.isUnderWay(first + i)) return false;
    return true;
  }

  /** The first index of a whole cohort of ours that is free; -1: the one drawn is not. */
  #drawCohort(region: Region, { first, end } = this.#own(region)): number {
    const cohorts = (end - first) / region.cohort;
    const at = first + region.cohort * Math.floor(this.#bench.random() * cohorts);
    return this.#isFree(at, region.cohort) ? at : -1;
  }

  #cohort(first: number, { cohort }: Region): number[] {
    return Array.from({ length: cohort }, (_, i) => first + i);
  }

  // Writes

  #put(start: number): boolean {
    const { points } = this.#bench.layout.regions;
    const index = this.#drawOwn(points);
    if (index < 0) return false;
    this.#putAt(index, points, start);
    return true;
  }

  #putAt(index: number, region: Region, start: number): void {
    const { table, layout } = this.#bench;
    const [{ word }] = this.#issue([index], LIVE);
    const row = rowOf(layout.seed, index, versionOf(word));
    this.#stage([{ index, word }], start, 'write', () => table.put(keyOf(index, region), row));
  }

  #del(start: number): boolean {
    const { points } = this.#bench.layout.regions;
    const index = this.#drawOwn(points);
    if (index < 0) return false;
    const changes = this.#issue([index], ABSENT);
    const { table } = this.#bench;
    this.#stage(changes, start, 'write', () => table.del(keyOf(index, points)));
    return true;
  }

  /** A write whose condition holds, or does not: nobody else writes the key, so it is known which. */
  #condition(start: number): boolean {
    const { table, layout, oracle, random } = this.#bench;
    const { points } = layout.regions;
    const index = this.#drawOwn(points);
    if (index < 0) return false;
    const isLive = oracle.isLive(index);
    const present = rowOf(layout.seed, index, versionOf(oracle.acked[index]));
    const [change] = this.#issue([index], LIVE);
    const row = rowOf(layout.seed, index, versionOf(change.word));
    const key = keyOf(index, points);
    const which = random();
    const condition =
      which < 0.4 ? 'absent' : which < 0.7 ? 'present' : { equals: which < 0.9 ? present : row };
    const holds = condition === 'absent' ? !isLive : isLive && (which < 0.7 || which < 0.9);
    const send = () => table.put(key, row, { if: condition });
    this.#stage([change], start, 'write', send, holds);
    return true;
  }

  #batch(start: number): boolean {
    const { table, layout, random } = this.#bench;
    const { groups } = layout.regions;
    const first = this.#drawCohort(groups);
    if (first < 0) return false;
    const kind = random() < 0.2 ? ABSENT : LIVE;
    const changes = this.#issue(this.#cohort(first, groups), kind);
    const operations = changes.map(({ index, word }) => {
      const key = keyOf(index, groups);
      if (kind === ABSENT) return { type: 'del', key } as const;
      return { type: 'put', key, value: rowOf(layout.seed, index, versionOf(word)) } as const;
    });
    this.#stage(changes, start, 'write', () => table.batch(operations));
    return true;
  }

  /** The next key of the window, which goes round. */
  #append(start: number): boolean {
    const { window } = this.#bench.layout.regions;
    const { first, end } = this.#own(window);
    const index = first + (this.#head % (end - first));
    if (this.#bench.oracle.isUnderWay(index)) return false;
    this.#head++;
    this.#putAt(index, window, start);
    return true;
  }

  /** Deletes the oldest cohort of the window: the one half a round ahead. */
  #trim(start: number): boolean {
    const { table, layout } = this.#bench;
    const { window } = layout.regions;
    const { first, end } = this.#own(window);
    const cohorts = (end - first) / window.cohort;
    const cohort = Math.floor(this.#head / window.cohort + cohorts / 2 + this.#bench.random() * 4);
    return this.#clear(first + window.cohort * (cohort % cohorts), window, start, table);
  }

  #clear(first: number, region: Region, start: number, table: Table): boolean {
    if (!this.#isFree(first, region.cohort)) return false;
    const changes = this.#issue(this.#cohort(first, region), ABSENT);
    const range = { gte: keyOf(first, region), lt: keyOf(first + region.cohort, region) };
    this.#stage(changes, start, 'write', () => table.clear(range));
    return true;
  }

  /** Loads a block of keys, or clears it. One lane does, so that one has a pool for it. */
  #load(start: number): boolean {
    const { table, layout, lane, random } = this.#bench;
    const { blocks } = layout.regions;
    if (lane !== 0 || this.#long >= LONG_MAX) return false;
    const first = this.#drawCohort(blocks, blocks);
    if (first < 0) return false;
    if (random() < 0.3) return this.#clear(first, blocks, start, table);
    const changes = this.#issue(this.#cohort(first, blocks), LIVE);
    const rows = changes.map(({ index, word }): [number, Row] => {
      return [keyOf(index, blocks), rowOf(layout.seed, index, versionOf(word))];
    });
    this.#stage(changes, start, 'long', () => table.bulkLoad(rows));
    return true;
  }

  #session(start: number): boolean {
    const { sessions, layout, oracle, random } = this.#bench;
    const index = this.#drawOwn(layout.regions.sessions);
    if (index < 0) return false;
    const which = random();
    const kind = which < 0.15 ? ABSENT : which < 0.3 ? LIVE : EXPIRING;
    const changes = this.#issue([index], kind);
    const [{ word }] = changes;
    const key = sessionOf(index);
    if (kind === ABSENT) {
      this.#stage(changes, start, 'write', () => sessions.del(key));
      return true;
    }
    const row = rowOf(layout.seed, index, versionOf(word));
    const ttl = SESSION_MS_MIN * (SESSION_MS_MAX / SESSION_MS_MIN) ** random();
    const expiresAt = kind === LIVE ? null : Math.ceil(Date.now() + ttl);
    oracle.setUntil(index, expiresAt ?? Number.NaN);
    this.#stage(changes, start, 'write', () => sessions.put(key, row, { expiresAt }));
    return true;
  }

  #issue(indices: readonly number[], kind: Kind): Change[] {
    const { oracle } = this.#bench;
    const notes = this.#notes;
    return indices.map((index) => {
      const word = oracle.issue(index, kind);
      notes.add(ISSUED, index, word);
      return { index, word };
    });
  }

  /** @param holds whether the condition of the write holds: where not, it has to be refused */
  #stage(
    changes: readonly Change[],
    start: number,
    latency: LatencyClass,
    send: () => Promise<unknown>,
    holds = true,
  ): void {
    this.#began(latency);
    this.#staged.push(async () => {
      let error: unknown = null;
      try {
        await send();
      } catch (thrown) {
        error = thrown ?? new Error('nothing was thrown');
      }
      this.#ended(latency, start);
      this.#conclude(changes, error, holds);
      if (this.#underWay === 0) this.#onDrained?.();
    });
  }

  #began(latency: LatencyClass): void {
    this.#underWay++;
    if (latency === 'long') this.#long++;
  }

  #ended(latency: LatencyClass, start: number): void {
    const { board, lane } = this.#bench;
    this.#underWay--;
    if (latency === 'long') this.#long--;
    board.record(lane, latency, performance.now() - start);
  }

  #conclude(changes: readonly Change[], error: unknown, holds: boolean): void {
    const { oracle, board, lane } = this.#bench;
    const notes = this.#notes;
    const code = error instanceof OmenError ? error.code : '';
    if (error === null) {
      if (!holds) this.#fault(changes[0].index, 'a write whose condition did not hold was done');
      for (const { index, word } of changes) {
        notes.add(ACKNOWLEDGED, index, word);
        oracle.acknowledge(index, word);
      }
      board.outcome(lane, 'done');
    } else if (REFUSALS.includes(code)) {
      this.#judgeRefusal(changes, code, holds);
      for (const { index, word } of changes) {
        notes.add(REFUSED, index, word);
        oracle.refuse(index);
      }
      board.outcome(lane, code === 'OMEN_CONDITION_FAILED' ? 'done' : 'refused');
    } else {
      this.#unknown.push(changes);
      board.outcome(lane, 'unknown');
      if (UNKNOWNS.includes(code) && mayBeUnknown(this.#bench.tolerance)) return;
      this.#fault(changes[0].index, `a write failed: ${error}`);
    }
  }

  #judgeRefusal(changes: readonly Change[], code: string, holds: boolean): void {
    if (code === 'OMEN_CONDITION_FAILED') {
      if (holds) this.#fault(changes[0].index, 'a condition that holds was said not to');
    } else if (!mayBeRefused(this.#bench.tolerance)) {
      this.#fault(changes[0].index, `a write was refused for no reason: ${code}`);
    }
  }

  // Reads

  #drawAny(): { index: number; region: Region } {
    const { layout, random } = this.#bench;
    const { points, groups, window, blocks } = layout.regions;
    const which = random();
    const region = which < 0.6 ? points : which < 0.8 ? groups : which < 0.9 ? window : blocks;
    return { index: this.#drawFrom(region.first, region.end), region };
  }

  #get(start: number): boolean {
    const { table, random } = this.#bench;
    if (random() < 0.08) this.#getSession();
    else {
      const { index, region } = this.#drawAny();
      const before = this.#before(index);
      this.#judge(index, before, table.get(keyOf(index, region)));
    }
    this.#read(start);
    return true;
  }

  #getSession(): void {
    const { sessions, layout } = this.#bench;
    const { first, end } = layout.regions.sessions;
    const index = this.#drawFrom(first, end);
    const sets = Atomics.load(words, WORDS.clockSets);
    const begun = Date.now();
    const before = this.#before(index);
    const row = sessions.get(sessionOf(index));
    // Between two times by which to judge there is none.
    if (sets !== Atomics.load(words, WORDS.clockSets) || (sets & 1) !== 0) return;
    this.#judge(index, before, row, { begun, latest: latestMs() });
  }

  #getMany(start: number): boolean {
    const { table } = this.#bench;
    const drawn = Array.from({ length: MANY }, () => this.#drawAny());
    const before = drawn.map(({ index }) => this.#before(index));
    const rows = table.getMany(drawn.map(({ index, region }) => keyOf(index, region)));
    for (const [i, { index }] of drawn.entries()) this.#judge(index, before[i], rows[i]);
    this.#read(start);
    return true;
  }

  #stretch(keys: number): { region: Region; first: number; before: Uint32Array } {
    const { oracle } = this.#bench;
    const { region, index } = this.#drawAny();
    const first = Math.min(index, region.end - keys);
    const before = new Uint32Array(keys);
    for (let i = 0; i < keys; i++) before[i] = Atomics.load(oracle.acked, first + i);
    return { region, first, before };
  }

  #range(start: number): boolean {
    const { table, random } = this.#bench;
    const { region, first, before } = this.#stretch(RANGE_KEYS);
    const bounds = { gte: keyOf(first, region), lt: keyOf(first + RANGE_KEYS, region) };
    const rows = new Array<Row | undefined>(RANGE_KEYS);
    const reverse = random() < 0.3;
    for (const [key, row] of table.entries({ ...bounds, reverse })) {
      rows[indexOfKey(key, region) - first] = row;
    }
    for (let i = 0; i < RANGE_KEYS; i++) this.#judge(first + i, before[i], rows[i]);
    this.#read(start);
    return true;
  }

  #scan(start: number): boolean {
    return this.#during(start, async () => {
      const { table } = this.#bench;
      const { region, first, before } = this.#stretch(SCAN_KEYS);
      const bounds = { gte: keyOf(first, region), lt: keyOf(first + SCAN_KEYS, region) };
      const rows = new Array<Row | undefined>(SCAN_KEYS);
      for await (const batch of table.scan(bounds)) {
        for (const { key, version, check, body } of batch.toArray()) {
          rows[indexOfKey(Number(key), region) - first] = { version, check, body };
        }
      }
      for (let i = 0; i < SCAN_KEYS; i++) this.#judge(first + i, before[i], rows[i]);
    });
  }

  /** Of a block, whose rows are all of one version. */
  #aggregate(start: number): boolean {
    return this.#during(start, async () => {
      const { table, layout, random } = this.#bench;
      const { blocks } = layout.regions;
      const count = (blocks.end - blocks.first) / blocks.cohort;
      const first = blocks.first + blocks.cohort * Math.floor(random() * count);
      const before = this.#before(first);
      const range = { gte: keyOf(first, blocks), lt: keyOf(first + blocks.cohort, blocks) };
      const { n, least, greatest } = await table.aggregate(range, {
        n: 'count',
        least: ['min', 'version'],
        greatest: ['max', 'version'],
      });
      if (n !== 0 && (n !== blocks.cohort || least !== greatest)) {
        this.#fault(first, `a block of ${n} rows of versions from ${least} to ${greatest}`);
      }
      this.#judgeVersion(first, before, n === 0 ? NOTHING : Number(least), NO_TIME);
    });
  }

  #during(start: number, work: () => Promise<void>): boolean {
    if (this.#long >= LONG_MAX) return false;
    this.#began('long');
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        const isClosed = error instanceof OmenError && error.code === 'OMEN_CLOSED';
        if (!isClosed) this.#bench.onFault(`a read failed: ${error}`);
      }
      this.#ended('long', start);
      if (this.#underWay === 0) this.#onDrained?.();
    };
    void run();
    return true;
  }

  /** One instant: groups are whole in it. Some are held, and looked at again later. */
  #snapshot(start: number): boolean {
    const { table, layout, random } = this.#bench;
    const { groups, points } = layout.regions;
    const drawn = Array.from({ length: 3 }, () => {
      const count = (groups.end - groups.first) / groups.cohort;
      return groups.first + groups.cohort * Math.floor(random() * count);
    });
    const indices = drawn.flatMap((first) => this.#cohort(first, groups));
    for (let i = 0; i < 16; i++) indices.push(this.#drawFrom(points.first, points.end));
    const before = indices.map((index) => this.#before(index));
    const snapshot = table.snapshot();
    const seen = new Map<number, number>();
    for (const [i, index] of indices.entries()) {
      const row = snapshot.get(keyOf(index, this.#regionOf(index)));
      this.#judge(index, before[i], row);
      seen.set(index, row?.version ?? NOTHING);
    }
    for (const first of drawn) {
      const versions = this.#cohort(first, groups).map((index) => seen.get(index));
      if (versions.some((version) => version !== versions[0])) {
        this.#fault(first, `half of a batch in a snapshot: versions ${versions.join(', ')}`);
      }
    }
    if (this.#held.length < HELD_MAX && random() < 0.1) {
      const untilMs = performance.now() + this.heldMs * (0.2 + random());
      this.#held.push({ snapshot, seen, untilMs });
    } else snapshot.close();
    this.#read(start);
    return true;
  }

  #regionOf(index: number): Region {
    const { regions } = this.#bench.layout;
    const region = Object.values(regions).find(({ end }) => index < end);
    return region ?? regions.sessions;
  }

  #versionIn(snapshot: { get(key: number): Row | undefined }, index: number): number {
    return snapshot.get(keyOf(index, this.#regionOf(index)))?.version ?? NOTHING;
  }

  #find(index: number): number {
    const { table, sessions, layout } = this.#bench;
    if (index >= layout.regions.sessions.first) {
      return sessions.get(sessionOf(index))?.version ?? NOTHING;
    }
    return this.#versionIn(table, index);
  }

  #before(index: number): number {
    return Atomics.load(this.#bench.oracle.acked, index);
  }

  #read(start: number): void {
    const { board, lane } = this.#bench;
    board.record(lane, 'read', performance.now() - start);
  }

  #judge(index: number, before: number, row: Row | undefined, nowMs = NO_TIME): void {
    if (row !== undefined && !isSound(this.#bench.layout.seed, index, row)) {
      this.#fault(index, `wrong bytes: ${JSON.stringify(row)}`);
    }
    this.#judgeVersion(index, before, row?.version ?? NOTHING, nowMs);
  }

  #judgeVersion(index: number, before: number, found: number, nowMs: typeof NO_TIME): void {
    const wrong = this.#bench.oracle.fault(index, before, found, nowMs);
    if (wrong !== null) this.#fault(index, wrong);
  }

  #fault(index: number, what: string): void {
    const { name } = this.#regionOf(index);
    this.#bench.onFault(`key ${index} (${name}): ${what}`);
  }
}
