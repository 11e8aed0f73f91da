/** The operations of one lane, by kind: writes of its own keys, reads of all. */
import type { Bench } from './bench.ts';
import { Draw } from './draw.ts';
import type { Notes } from './notes.ts';
import type { KeyDistribution, OperationKind } from './phases.ts';
import { Reads } from './reads.ts';
import { UnderWay } from './under-way.ts';
import { Writes } from './writes.ts';

export class Operations {
  readonly #bench: Bench;
  readonly #draw: Draw;
  readonly #underWay: UnderWay;
  readonly #writes: Writes;
  readonly #reads: Reads;
  /** Each begins one; whether it could. */
  readonly #kinds: Readonly<Record<OperationKind, (start: number) => boolean>>;

  constructor(bench: Bench, notes: Notes) {
    this.#bench = bench;
    this.#draw = new Draw(bench);
    this.#underWay = new UnderWay(bench);
    const writes = new Writes(bench, this.#draw, this.#underWay, notes);
    const reads = new Reads(bench, this.#draw, this.#underWay);
    this.#writes = writes;
    this.#reads = reads;
    this.#kinds = {
      put: (start) => writes.put(start),
      del: (start) => writes.del(start),
      condition: (start) => writes.condition(start),
      batch: (start) => writes.batch(start),
      append: (start) => writes.append(start),
      trim: (start) => writes.trim(start),
      load: (start) => writes.load(start),
      session: (start) => writes.session(start),
      get: (start) => reads.get(start),
      getMany: (start) => reads.getMany(start),
      range: (start) => reads.range(start),
      scan: (start) => reads.scan(start),
      aggregate: (start) => reads.aggregate(start),
      snapshot: (start) => reads.snapshot(start),
    };
  }

  /** @param heldMs how long snapshots are held, about */
  prepare(keys: KeyDistribution, heldMs: number): void {
    this.#draw.keys = keys;
    this.#reads.heldMs = heldMs;
  }

  get underWay(): number {
    return this.#underWay.count;
  }

  /**
   * Begins one operation; whether it could: not where the key that it drew is under way.
   * @param start when it was meant to begin, by performance.now()
   */
  perform(kind: OperationKind, start: number): boolean {
    const { board, lane } = this.#bench;
    const done = this.#kinds[kind](start);
    if (done) board.count(lane, kind);
    return done;
  }

  /** Writes about as much as there is in the long run, a step at a time: for an empty database. */
  fill(): Generator<void> {
    return this.#writes.fill();
  }

  /** Notes what was staged, then sends it. */
  flush(): void {
    this.#writes.flush();
  }

  /** Resolves when nothing is under way, and what came of all is noted. */
  async drained(): Promise<void> {
    this.#writes.flush();
    await this.#underWay.none();
    this.#writes.flush();
  }

  /** Looks at what each held snapshot shows once more, and lets go of those whose time has come. */
  checkHeld(all: boolean): void {
    this.#reads.checkHeld(all);
  }

  /** Reads what is there of all writes whose outcome is unknown: nothing can change it any more. */
  settleUnknown(): number {
    return this.#writes.settleUnknown();
  }

  /** Goes on with other notes. */
  turn(notes: Notes): void {
    this.#writes.turn(notes);
  }

  /** Nothing may be under way, and no snapshot held. */
  end(): void {
    this.#writes.end();
  }
}
