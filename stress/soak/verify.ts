/**
 * Everything that is there, compared with what the oracle knows, while nothing is written: every key by
 * iterating, each region by `count`, some keys by `get`, and cohorts as wholes. What was under way when
 * its process or its shard ended is decided by what is found, and cohorts must have been changed whole
 * or not at all.
 */

import type { Sessions, Table } from './databases.ts';
import {
  indexOfKey,
  indexOfSession,
  isSound,
  keyOf,
  type Layout,
  ownOf,
  REGION_NAMES,
  type Region,
  type Row,
  sessionOf,
} from './layout.ts';
import { ACKNOWLEDGED, ISSUED, type Notes, REFUSED } from './notes.ts';
import { ABSENT, kindOf, NOTHING, type Oracle, versionOf } from './oracle.ts';
import { latestMs } from './shim.ts';

export interface Found {
  readonly rows: number;
  readonly checked: number;
  /** Writes whose outcome what was found decided. */
  readonly settled: number;
  readonly faults: readonly string[];
}

const FAULTS_MAX = 20;
/** One key of so many is looked up by `get`, too. */
const GET_EVERY = 7;

interface Subject {
  readonly layout: Layout;
  readonly oracle: Oracle;
  readonly table: Table;
  readonly sessions: Sessions;
}

class Verification {
  readonly #subject: Subject;
  readonly faults: string[] = [];
  rows = 0;
  checked = 0;
  settled = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  fault(index: number, region: Region, what: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(`key ${index} (${region.name}): ${what}`);
  }

  region(region: Region): void {
    const { table } = this.#subject;
    let next = region.first;
    const rowsBefore = this.rows;
    const range = { gte: keyOf(region.first, region), lt: keyOf(region.end, region) };
    for (const [key, row] of table.entries(range)) {
      const index = indexOfKey(key, region);
      if (!Number.isInteger(index)) {
        this.fault(index, region, `a key ${key} that nobody wrote`);
        continue;
      }
      for (; next < index; next++) this.#look(next, region, undefined);
      this.#look(index, region, row);
      next = index + 1;
    }
    for (; next < region.end; next++) this.#look(next, region, undefined);
    const count = table.count(range);
    if (count !== this.rows - rowsBefore) {
      this.fault(region.first, region, `count ${count}, of ${this.rows - rowsBefore} rows`);
    }
  }

  sessionRegion(region: Region): void {
    const { sessions } = this.#subject;
    let next = region.first;
    for (const [key, row] of sessions.entries()) {
      const index = indexOfSession(key);
      for (; next < index; next++) this.#lookAtSession(next, region, undefined);
      this.#lookAtSession(index, region, row);
      next = index + 1;
    }
    for (; next < region.end; next++) this.#lookAtSession(next, region, undefined);
  }

  #lookAtSession(index: number, region: Region, row: Row | undefined): void {
    this.#look(index, region, row);
    if (row === undefined) return;
    const until = this.#subject.sessions.expiresAt(sessionOf(index));
    this.#subject.oracle.setUntil(index, until ?? Number.NaN);
  }

  #look(index: number, region: Region, row: Row | undefined): void {
    const { layout, oracle, table } = this.#subject;
    this.checked++;
    if (row !== undefined) {
      this.rows++;
      if (!isSound(layout.seed, index, row)) {
        this.fault(index, region, `wrong bytes: ${JSON.stringify(row)}`);
      }
    }
    const found = row?.version ?? NOTHING;
    if (index % GET_EVERY === 0 && region.name !== 'sessions') {
      const got = table.get(keyOf(index, region))?.version ?? NOTHING;
      if (got !== found) this.fault(index, region, `get finds ${got}, the iterator ${found}`);
    }
    const before = oracle.acked[index];
    // When a row that stays expires is looked at by those who read; here the clock goes on.
    const nowMs = { begun: 0, latest: latestMs() };
    const wrong = oracle.fault(index, before, found, nowMs);
    if (wrong !== null) this.fault(index, region, wrong);
    if (oracle.isUnderWay(index)) {
      this.settled++;
      this.#outcome(index, region, found);
    }
  }

  /** Of each cohort that had something under way: how many keys of it were changed, and how many not. */
  readonly #outcomes = new Map<number, { applied: number; not: number }>();

  #outcome(index: number, region: Region, found: number): void {
    const { oracle } = this.#subject;
    const acked = oracle.acked[index];
    const issued = oracle.issued[index];
    const isTold = !(kindOf(acked) === ABSENT && kindOf(issued) === ABSENT);
    const isApplied = oracle.settle(index, found) === issued;
    // Keys of a window are appended one by one, and deleted together.
    if (!isTold || (!region.lockstep && kindOf(issued) !== ABSENT) || region.cohort === 1) return;
    const cohort = index - ((index - region.first) % region.cohort);
    const outcome = this.#outcomes.get(cohort) ?? { applied: 0, not: 0 };
    if (isApplied) outcome.applied++;
    else outcome.not++;
    this.#outcomes.set(cohort, outcome);
  }

  /** One key, looked up. */
  key(index: number, region: Region): void {
    const { table, sessions } = this.#subject;
    if (region.name === 'sessions') {
      this.#lookAtSession(index, region, sessions.get(sessionOf(index)));
    } else this.#look(index, region, table.get(keyOf(index, region)));
  }

  cohortsUnderWay(region: Region): void {
    for (const [first, { applied, not }] of this.#outcomes) {
      if (applied > 0 && not > 0) {
        this.fault(first, region, `of one change ${applied} keys are there, ${not} are not`);
      }
    }
    this.#outcomes.clear();
  }

  cohorts(region: Region): void {
    this.cohortsUnderWay(region);
    if (!region.lockstep) return;
    const { acked } = this.#subject.oracle;
    for (let first = region.first; first < region.end; first += region.cohort) {
      for (let i = 1; i < region.cohort; i++) {
        if (acked[first + i] === acked[first]) continue;
        const [one, other] = [first, first + i].map((index) => versionOf(acked[index]));
        this.fault(first, region, `a cohort of versions ${one} and ${other}`);
        break;
      }
    }
  }
}

/** Blocks that are still to be decided: loads, or clears of what was loaded. */
export function openBlocks({ layout, oracle }: Subject): number[] {
  const { first, end, cohort } = layout.regions.blocks;
  const open: number[] = [];
  for (let index = first; index < end; index += cohort) {
    if (oracle.isUnderWay(index)) open.push(index);
  }
  return open;
}

/** Whether what is under way of a block is there by now. */
export function isApplied({ layout, oracle, table }: Subject, index: number): boolean {
  const found = table.get(keyOf(index, layout.regions.blocks))?.version ?? NOTHING;
  const issued = oracle.issued[index];
  return found === (kindOf(issued) === ABSENT ? NOTHING : versionOf(issued));
}

/**
 * What became of the writes that a lane had under way when its thread ended. Nothing of it may be under
 * way in the engine any more; other lanes go on. What it finds is noted. Blocks stay as they are: a load
 * that is being published goes on when its thread has ended.
 */
export function settleLane(subject: Subject, lane: number, notes: Notes): Found {
  const verification = new Verification(subject);
  const { layout, oracle } = subject;
  for (const name of REGION_NAMES) {
    if (name === 'blocks') continue;
    const region = layout.regions[name];
    const own = ownOf(layout, region, lane);
    for (let index = own.first; index < own.end; index++) {
      if (!oracle.isUnderWay(index)) continue;
      const before = oracle.acked[index];
      verification.key(index, region);
      notes.add(ISSUED, index, oracle.issued[index]);
      notes.add(
        oracle.acked[index] === before ? REFUSED : ACKNOWLEDGED,
        index,
        oracle.acked[index],
      );
    }
    verification.cohortsUnderWay(region);
  }
  const { rows, checked, settled, faults } = verification;
  return { rows, checked, settled, faults };
}

/** Nothing may be written meanwhile. */
export function verifyAll(subject: Subject): Found {
  const verification = new Verification(subject);
  const { regions } = subject.layout;
  for (const name of REGION_NAMES) {
    const region = regions[name];
    if (name === 'sessions') verification.sessionRegion(region);
    else verification.region(region);
    verification.cohorts(region);
  }
  const { rows, checked, settled, faults } = verification;
  const sessions = regions.sessions;
  const expected = subject.oracle.liveRows(0, sessions.first);
  const count = subject.table.count();
  if (count !== expected && faults.length === 0) {
    verification.fault(0, regions.points, `${count} rows in all, ${expected} were acknowledged`);
  }
  return { rows, checked, settled, faults };
}
