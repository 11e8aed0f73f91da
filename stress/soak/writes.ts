/**
 * The writes of a lane: of its own keys, each key by one write at a time. They are staged, so that a
 * turn's are noted on disk in one go, then sent; what came of each goes to the oracle and the notes.
 */
import { OmenError } from '../../src/index.ts';
import { type Bench, faultAt } from './bench.ts';
import type { LatencyClass } from './board.ts';
import type { Table } from './databases.ts';
import { cohortAt, type Draw } from './draw.ts';
import { keyOf, type Region, type Row, rowOf, sessionOf } from './layout.ts';
import { ACKNOWLEDGED, ISSUED, type Notes, REFUSED } from './notes.ts';
import { ABSENT, EXPIRING, type Kind, kindOf, LIVE, versionOf } from './oracle.ts';
import { versionAt } from './reads.ts';
import { type Begun, mayBeRefused, mayBeUnknown, toleranceOf } from './tolerance.ts';
import type { UnderWay } from './under-way.ts';

interface Change {
  readonly index: number;
  readonly word: number;
}

const REFUSALS: readonly string[] = [
  'OMEN_DISK_FULL',
  'OMEN_TOO_MANY_FILES',
  'OMEN_MEMORY_FULL',
  'OMEN_BACKPRESSURE',
  'OMEN_CONDITION_FAILED',
];
const UNKNOWNS: readonly string[] = ['OMEN_OUTCOME_UNKNOWN', 'OMEN_SHARD_FAILED', 'OMEN_CLOSED'];

const SESSION_MS_MIN = 200;
const SESSION_MS_MAX = 20_000;

export class Writes {
  readonly #bench: Bench;
  readonly #draw: Draw;
  readonly #underWay: UnderWay;
  #notes: Notes;
  #staged: (() => void)[] = [];
  /** Changes of one write each, whose outcome is unknown. */
  #unknown: (readonly Change[])[] = [];
  /** Where the window goes on. */
  #head = 0;

  constructor(bench: Bench, draw: Draw, underWay: UnderWay, notes: Notes) {
    this.#bench = bench;
    this.#draw = draw;
    this.#underWay = underWay;
    this.#notes = notes;
  }

  put(start: number): boolean {
    const { points } = this.#bench.layout.regions;
    const index = this.#draw.ownKey(points);
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

  del(start: number): boolean {
    const { points } = this.#bench.layout.regions;
    const index = this.#draw.ownKey(points);
    if (index < 0) return false;
    const changes = this.#issue([index], ABSENT);
    const { table } = this.#bench;
    this.#stage(changes, start, 'write', () => table.del(keyOf(index, points)));
    return true;
  }

  /** A write whose condition holds, or does not: nobody else writes the key, so it is known which. */
  condition(start: number): boolean {
    const { table, layout, oracle, random } = this.#bench;
    const { points } = layout.regions;
    const index = this.#draw.ownKey(points);
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

  batch(start: number): boolean {
    const { layout, random } = this.#bench;
    const first = this.#draw.cohortOf(layout.regions.groups);
    if (first < 0) return false;
    this.#batchAt(first, random() < 0.2 ? ABSENT : LIVE, start);
    return true;
  }

  #batchAt(first: number, kind: typeof ABSENT | typeof LIVE, start: number): void {
    const { table, layout } = this.#bench;
    const { groups } = layout.regions;
    const changes = this.#issue(cohortAt(first, groups), kind);
    const operations = changes.map(({ index, word }) => {
      const key = keyOf(index, groups);
      if (kind === ABSENT) return { type: 'del', key } as const;
      return { type: 'put', key, value: rowOf(layout.seed, index, versionOf(word)) } as const;
    });
    this.#stage(changes, start, 'write', () => table.batch(operations));
  }

  /** The next key of the window, which goes round. */
  append(start: number): boolean {
    const { window } = this.#bench.layout.regions;
    const { first, end } = this.#draw.own(window);
    const index = first + (this.#head % (end - first));
    if (this.#bench.oracle.isUnderWay(index)) return false;
    this.#head++;
    this.#putAt(index, window, start);
    return true;
  }

  /** Deletes the oldest cohort of the window: the one half a round ahead. */
  trim(start: number): boolean {
    const { table, layout } = this.#bench;
    const { window } = layout.regions;
    const { first, end } = this.#draw.own(window);
    const cohorts = (end - first) / window.cohort;
    const cohort = Math.floor(this.#head / window.cohort + cohorts / 2 + this.#bench.random() * 4);
    return this.#clear(first + window.cohort * (cohort % cohorts), window, start, table);
  }

  #clear(first: number, region: Region, start: number, table: Table): boolean {
    if (!this.#draw.isFree(first, region.cohort)) return false;
    const changes = this.#issue(cohortAt(first, region), ABSENT);
    const range = { gte: keyOf(first, region), lt: keyOf(first + region.cohort, region) };
    this.#stage(changes, start, 'write', () => table.clear(range));
    return true;
  }

  /** Loads a block of keys, or clears it. One lane does, so that one has a pool for it. */
  load(start: number): boolean {
    const { table, layout, lane, random } = this.#bench;
    const { blocks } = layout.regions;
    if (lane !== 0 || !this.#underWay.hasRoomForLong) return false;
    const first = this.#draw.cohortOf(blocks, blocks);
    if (first < 0) return false;
    if (random() < 0.3) return this.#clear(first, blocks, start, table);
    const changes = this.#issue(cohortAt(first, blocks), LIVE);
    const rows = changes.map(({ index, word }): [number, Row] => {
      return [keyOf(index, blocks), rowOf(layout.seed, index, versionOf(word))];
    });
    this.#stage(changes, start, 'long', () => table.bulkLoad(rows));
    return true;
  }

  session(start: number): boolean {
    const { sessions, layout, oracle, random } = this.#bench;
    const index = this.#draw.ownKey(layout.regions.sessions);
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
    this.#underWay.began(latency);
    this.#staged.push(async () => {
      const begun = toleranceOf(this.#bench.tolerance);
      let error: unknown = null;
      try {
        await send();
      } catch (thrown) {
        error = thrown ?? new Error('nothing was thrown');
      }
      this.#underWay.ended(latency, start);
      this.#conclude(changes, error, holds, begun);
      this.#underWay.settled();
    });
  }

  #conclude(changes: readonly Change[], error: unknown, holds: boolean, begun: Begun): void {
    const { oracle, board, lane } = this.#bench;
    const notes = this.#notes;
    const code = error instanceof OmenError ? error.code : '';
    if (error === null) {
      if (!holds)
        faultAt(this.#bench, changes[0].index, 'a write whose condition did not hold was done');
      for (const { index, word } of changes) {
        notes.add(ACKNOWLEDGED, index, word);
        oracle.acknowledge(index, word);
      }
      board.outcome(lane, 'done');
    } else if (REFUSALS.includes(code)) {
      this.#judgeRefusal(changes, code, holds, begun);
      for (const { index, word } of changes) {
        notes.add(REFUSED, index, word);
        oracle.refuse(index);
      }
      board.outcome(lane, code === 'OMEN_CONDITION_FAILED' ? 'done' : 'refused');
    } else {
      this.#unknown.push(changes);
      board.outcome(lane, 'unknown');
      if (UNKNOWNS.includes(code) && mayBeUnknown(this.#bench.tolerance, begun)) return;
      faultAt(this.#bench, changes[0].index, `a write failed: ${error}`);
    }
  }

  #judgeRefusal(changes: readonly Change[], code: string, holds: boolean, begun: Begun): void {
    if (code === 'OMEN_CONDITION_FAILED') {
      if (holds) faultAt(this.#bench, changes[0].index, 'a condition that holds was said not to');
    } else if (!mayBeRefused(this.#bench.tolerance, begun)) {
      faultAt(this.#bench, changes[0].index, `a write was refused for no reason: ${code}`);
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
        faultAt(
          this.#bench,
          changes[0].index,
          `of ${changes.length} changes at once a part was applied`,
        );
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
    const found = versionAt(this.#bench, index);
    const settled = oracle.settle(index, found);
    notes.add(settled === before ? REFUSED : ISSUED, index, settled);
    if (settled !== before) notes.add(ACKNOWLEDGED, index, settled);
    if (kindOf(before) === ABSENT && kindOf(word) === ABSENT) return null;
    return kindOf(word) === EXPIRING ? null : settled === word;
  }

  /** Notes what was staged, then sends it. */
  flush(): void {
    this.#notes.flush();
    const staged = this.#staged;
    if (staged.length === 0) return;
    this.#staged = [];
    for (const send of staged) send();
  }

  /** Writes about as many keys as there are in the long run, one a step, or one group: for an empty database. */
  *fill(): Generator<void> {
    const { random, layout } = this.#bench;
    const { points, groups, window } = layout.regions;
    for (const { region, share } of [
      { region: points, share: 0.9 },
      { region: groups, share: 0.8 },
      { region: window, share: 0.9 },
    ]) {
      const { first, end } = this.#draw.own(region);
      const step = region === groups ? groups.cohort : 1;
      for (let index = first; index < end; index += step) {
        if (random() > share || !this.#draw.isFree(index, step)) continue;
        if (region === groups) this.#batchAt(index, LIVE, performance.now());
        else this.#putAt(index, region, performance.now());
        yield;
      }
    }
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
}
