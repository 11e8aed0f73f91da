/**
 * The reads of a lane: of everybody's keys, each judged by the oracle; what shows one instant is judged as
 * one, too.
 */
import { OmenError } from '../../src/index.ts';
import { type Bench, faultAt } from './bench.ts';
import type { Table } from './databases.ts';
import { cohortAt, type Draw } from './draw.ts';
import {
  indexOfKey,
  isSound,
  keyOf,
  type Region,
  type Row,
  regionOf,
  sessionOf,
} from './layout.ts';
import { NOTHING } from './oracle.ts';
import { latestMs, WORDS, words } from './shim.ts';
import type { UnderWay } from './under-way.ts';

interface HeldSnapshot {
  readonly snapshot: ReturnType<Table['snapshot']>;
  /** What it showed when it was taken. */
  readonly seen: Map<number, number>;
  readonly untilMs: number;
}

const MANY = 32;
const RANGE_KEYS = 48;
const SCAN_KEYS = 512;
const HELD_MAX = 2;
/** No time that a row of the table could be judged by: none of them expires. */
const NO_TIME = { begun: 0, latest: 0 };

type Shown = Pick<Table, 'get'>;

function versionIn({ layout }: Bench, shown: Shown, index: number): number {
  return shown.get(keyOf(index, regionOf(layout, index)))?.version ?? NOTHING;
}

/** The version that is there now, or NOTHING. */
export function versionAt(bench: Bench, index: number): number {
  const { table, sessions, layout } = bench;
  if (index < layout.regions.sessions.first) return versionIn(bench, table, index);
  return sessions.get(sessionOf(index))?.version ?? NOTHING;
}

export class Reads {
  readonly #bench: Bench;
  readonly #draw: Draw;
  readonly #underWay: UnderWay;
  #held: HeldSnapshot[] = [];
  /** How long snapshots are held, about. */
  heldMs = 5000;

  constructor(bench: Bench, draw: Draw, underWay: UnderWay) {
    this.#bench = bench;
    this.#draw = draw;
    this.#underWay = underWay;
  }

  get(start: number): boolean {
    const { table, random } = this.#bench;
    if (random() < 0.08) this.#getSession();
    else {
      const { index, region } = this.#draw.any();
      const before = this.#before(index);
      this.#judge(index, before, table.get(keyOf(index, region)));
    }
    this.#read(start);
    return true;
  }

  #getSession(): void {
    const { sessions, layout } = this.#bench;
    const { first, end } = layout.regions.sessions;
    const index = this.#draw.from(first, end);
    const sets = Atomics.load(words, WORDS.clockSets);
    const begun = Date.now();
    const before = this.#before(index);
    const row = sessions.get(sessionOf(index));
    // Between two times by which to judge there is none.
    if (sets !== Atomics.load(words, WORDS.clockSets) || (sets & 1) !== 0) return;
    this.#judge(index, before, row, { begun, latest: latestMs() });
  }

  getMany(start: number): boolean {
    const { table } = this.#bench;
    const drawn = Array.from({ length: MANY }, () => this.#draw.any());
    const before = drawn.map(({ index }) => this.#before(index));
    const rows = table.getMany(drawn.map(({ index, region }) => keyOf(index, region)));
    for (const [i, { index }] of drawn.entries()) this.#judge(index, before[i], rows[i]);
    this.#read(start);
    return true;
  }

  #stretch(keys: number): { region: Region; first: number; before: Uint32Array } {
    const { oracle } = this.#bench;
    const { region, index } = this.#draw.any();
    const first = Math.min(index, region.end - keys);
    const before = new Uint32Array(keys);
    for (let i = 0; i < keys; i++) before[i] = Atomics.load(oracle.acked, first + i);
    return { region, first, before };
  }

  range(start: number): boolean {
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

  scan(start: number): boolean {
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
  aggregate(start: number): boolean {
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
        faultAt(
          this.#bench,
          first,
          `a block of ${n} rows of versions from ${least} to ${greatest}`,
        );
      }
      this.#judgeVersion(first, before, n === 0 ? NOTHING : Number(least), NO_TIME);
    });
  }

  #during(start: number, work: () => Promise<void>): boolean {
    if (!this.#underWay.hasRoomForLong) return false;
    this.#underWay.began('long');
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        const isClosed = error instanceof OmenError && error.code === 'OMEN_CLOSED';
        if (!isClosed) this.#bench.onFault(`a read failed: ${error}`);
      }
      this.#underWay.ended('long', start);
      this.#underWay.settled();
    };
    void run();
    return true;
  }

  /** One instant: groups are whole in it. Some are held, and looked at again later. */
  snapshot(start: number): boolean {
    const { table, layout, random } = this.#bench;
    const { groups, points } = layout.regions;
    const drawn = Array.from({ length: 3 }, () => {
      const count = (groups.end - groups.first) / groups.cohort;
      return groups.first + groups.cohort * Math.floor(random() * count);
    });
    const indices = drawn.flatMap((first) => cohortAt(first, groups));
    for (let i = 0; i < 16; i++) indices.push(this.#draw.from(points.first, points.end));
    const before = indices.map((index) => this.#before(index));
    const snapshot = table.snapshot();
    const seen = new Map<number, number>();
    for (const [i, index] of indices.entries()) {
      const row = snapshot.get(keyOf(index, regionOf(this.#bench.layout, index)));
      this.#judge(index, before[i], row);
      seen.set(index, row?.version ?? NOTHING);
    }
    for (const first of drawn) {
      const versions = cohortAt(first, groups).map((index) => seen.get(index));
      if (versions.some((version) => version !== versions[0])) {
        faultAt(
          this.#bench,
          first,
          `half of a batch in a snapshot: versions ${versions.join(', ')}`,
        );
      }
    }
    if (this.#held.length < HELD_MAX && random() < 0.1) {
      const untilMs = performance.now() + this.heldMs * (0.2 + random());
      this.#held.push({ snapshot, seen, untilMs });
    } else snapshot.close();
    this.#read(start);
    return true;
  }

  /** Looks at what each held snapshot shows once more, and lets go of those whose time has come. */
  checkHeld(all: boolean): void {
    const now = performance.now();
    const due = this.#held.filter(({ untilMs }) => all || untilMs <= now);
    this.#held = this.#held.filter((held) => !due.includes(held));
    for (const { snapshot, seen } of due) {
      for (const [index, version] of seen) {
        const found = versionIn(this.#bench, snapshot, index);
        if (found === version) continue;
        faultAt(
          this.#bench,
          index,
          `a held snapshot showed version ${version}, and later ${found}`,
        );
      }
      snapshot.close();
    }
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
      faultAt(this.#bench, index, `wrong bytes: ${JSON.stringify(row)}`);
    }
    this.#judgeVersion(index, before, row?.version ?? NOTHING, nowMs);
  }

  #judgeVersion(index: number, before: number, found: number, nowMs: typeof NO_TIME): void {
    const wrong = this.#bench.oracle.fault(index, before, found, nowMs);
    if (wrong !== null) faultAt(this.#bench, index, wrong);
  }
}
