/**
 * What a load has of one shard: chunks as they come, sorted runs as they are made of them in the pool, in the
 * order of the source. As long as each run comes behind the one before, they are written already, piece by
 * piece, and let go of. From the first that does not, they are kept, in memory as far as there is some and else
 * in files, and in the end all of them are merged: at once where they are in memory, else slice by slice.
 */
import type { Schema } from '../schema/schema.ts';
import { duplicateKey } from '../view/duplicate-key.ts';
import type { Retired } from '../view/retired.ts';
import { type OnExisting, type RunSlice, type SliceRules, wholeSlice } from '../view/run-slice.ts';
import { Segment, type SegmentHandle } from '../view/segment.ts';
import { isSpilled, type PlainKey, plainKeyOf } from '../view/spilled-run.ts';
import type { InFlight } from './in-flight.ts';
import type { LoadBudget } from './load-budget.ts';
import type { LoadPool } from './pool.ts';
import { comesBefore, type KeyRange, type LoadPart, planSlices } from './slices.ts';
import { CHUNKS_MAX, type OnDuplicate } from './sort.ts';

/** Segments of a shard that were written. */
export interface Piece {
  readonly ids: readonly number[];
  /** The same segments, to be merged with others if need be. */
  readonly segments: readonly SegmentHandle[];
  readonly rows: number;
  /** Of files. */
  readonly bytes: number;
  /** Rows that gave way to rows that are there. */
  readonly existing: number;
}

/** Writes rows as segments: sorted runs, the one whose rows win first. */
export type WriteSlice = (slice: RunSlice) => Promise<Piece>;

/** What the shards of a load have in common. */
export interface LoadShared {
  readonly schema: Schema;
  readonly pool: Pick<LoadPool, 'sort' | 'spill' | 'join'>;
  readonly onDuplicate: OnDuplicate;
  readonly onExisting: OnExisting;
  /** Whether rows in order are written while others are on their way; else all are kept, until `finish`. */
  readonly writesAhead: boolean;
  readonly budget: LoadBudget;
  readonly inFlight: InFlight;
  /** Counts shared memory that is let go of. */
  readonly retired: Pick<Retired, 'add'>;
  /** Bytes of runs that are kept in memory, of all shards. */
  kept: number;
}

export interface ShardRowsOptions {
  readonly shared: LoadShared;
  readonly write: WriteSlice;
  /** The path of a file for a run, which is not there yet. */
  readonly pathOf: (number: number) => string;
}

/** A sorted run that does not come behind the one before. */
interface KeptRun {
  readonly parts: readonly LoadPart[];
  /** How often its rows were spilled; 0: they are in memory. */
  readonly spills: number;
}

const bytesOf = (segments: readonly SegmentHandle[]): number =>
  segments.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);

export class ShardRows {
  readonly #options: ShardRowsOptions;
  readonly #shared: LoadShared;
  #chunks: SegmentHandle[] = [];
  #chunkBytes = 0;
  #taken: Promise<void> = Promise.resolve();
  /** Runs that each come behind the one before and the pieces, until one does not. */
  #following: SegmentHandle[] = [];
  readonly #pieces: Piece[] = [];
  readonly #kept: KeptRun[] = [];
  #files = 0;

  constructor(options: ShardRowsOptions) {
    this.#options = options;
    this.#shared = options.shared;
  }

  add(chunk: SegmentHandle): void {
    const { bodyBytes } = chunk.layout;
    this.#chunks.push(chunk);
    this.#chunkBytes += bodyBytes;
    const { runBytes } = this.#shared.budget;
    if (this.#chunkBytes >= runBytes || this.#chunks.length === CHUNKS_MAX) this.#sort();
  }

  #sort(): void {
    if (this.#chunks.length === 0) return;
    const { schema, pool, onDuplicate, inFlight, retired } = this.#shared;
    const [chunks, chunkBytes] = [this.#chunks, this.#chunkBytes];
    this.#chunks = [];
    this.#chunkBytes = 0;
    const sort = pool.sort({ schema, chunks, onDuplicate });
    sort.catch(() => {});
    const before = this.#taken;
    this.#taken = (async () => {
      await before;
      const { segments, wasSorted, duplicate } = await sort;
      if (onDuplicate === 'error' && duplicate !== null) throw duplicateKey(schema.key, duplicate);
      if (!wasSorted) retired.add(chunkBytes);
      await this.#take(segments);
    })();
    inFlight.add(this.#taken);
  }

  async #take(run: readonly SegmentHandle[]): Promise<void> {
    if (this.#kept.length === 0 && this.#isNext(run[0])) {
      this.#following.push(...run);
      if (bytesOf(this.#following) < this.#shared.budget.pieceBytes) return;
      if (this.#shared.writesAhead) await this.#writePiece();
      else await this.#keepFollowing();
      return;
    }
    await this.#keepFollowing();
    await this.#keep(run);
  }

  async #keepFollowing(): Promise<void> {
    const following = this.#following;
    this.#following = [];
    if (following.length > 0) await this.#keep(following);
  }

  #isNext(segment: SegmentHandle): boolean {
    const last = this.#following.at(-1) ?? this.#pieces.at(-1)?.segments.at(-1);
    if (last === undefined) return true;
    const { schema } = this.#shared;
    return comesBefore(lastKey(schema, last), firstKey(schema, segment));
  }

  async #writePiece(): Promise<void> {
    const run = this.#following;
    this.#following = [];
    this.#pieces.push(await this.#options.write(wholeSlice([run], this.#rules)));
    this.#shared.retired.add(bytesOf(run));
  }

  async #keep(segments: readonly SegmentHandle[]): Promise<void> {
    const { schema, pool, budget, retired } = this.#shared;
    const bytes = bytesOf(segments);
    if (this.#shared.kept + bytes <= budget.keptBytes) {
      this.#shared.kept += bytes;
      this.#kept.push({ parts: segments, spills: 0 });
      return;
    }
    const { blockBytes } = budget;
    const run = await pool.spill({ schema, path: this.#newPath(), blockBytes, segments });
    this.#kept.push({ parts: [run], spills: 1 });
    retired.add(bytes);
    await this.#join();
  }

  #newPath(): string {
    return this.#options.pathOf(this.#files++);
  }

  /** Joins the last runs, where there are too many of one kind: each row is spilled a few times at most. */
  async #join(): Promise<void> {
    const { schema, pool, budget, onDuplicate } = this.#shared;
    for (;;) {
      const { spills } = this.#kept[this.#kept.length - 1];
      const others = this.#kept.findLastIndex((run) => run.spills !== spills) + 1;
      if (this.#kept.length - others < budget.joinRuns) return;
      const runs = this.#kept.splice(others).flatMap(({ parts }) => parts.filter(isSpilled));
      const { blockBytes, sliceBytes } = budget;
      const path = this.#newPath();
      const run = await pool.join({ schema, path, blockBytes, sliceBytes, runs, onDuplicate });
      this.#kept.push({ parts: [run], spills: spills + 1 });
    }
  }

  get #rules(): SliceRules {
    const { onDuplicate, onExisting } = this.#shared;
    return { isUnique: onDuplicate === 'error', onExisting };
  }

  /** Sorts what is left: after that nothing runs in the pool. */
  async settle(): Promise<void> {
    this.#sort();
    await this.#taken;
  }

  /** Writes what is left. All segments together are a run, in key order. */
  async finish(): Promise<Piece> {
    await this.settle();
    if (this.#kept.length === 0) {
      if (this.#following.length > 0) await this.#writePiece();
      return joined(this.#pieces);
    }
    const { schema, budget } = this.#shared;
    const pieces = this.#pieces.splice(0).flatMap(({ segments }) => segments);
    const runs = this.#winnersFirst([pieces, ...this.#kept.splice(0).map(({ parts }) => parts)]);
    const rules = this.#rules;
    const isInMemory = pieces.length === 0 && !runs.flat().some(isSpilled);
    if (isInMemory) return this.#options.write(wholeSlice(runs, rules));
    const { sliceBytes, blockBytes } = budget;
    const slices = planSlices(schema, runs, sliceBytes, blockBytes, rules);
    runs.length = 0;
    const written: Piece[] = [];
    // Pieces are let go of as soon as what they are merged into is there: rows are not held twice.
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
      const { to } = slice;
      const next = pieces.findIndex(
        (piece) => to !== null && !comesBefore(lastKey(schema, piece), to),
      );
      const over = pieces.splice(0, next < 0 ? pieces.length : next);
      written.push(await this.#options.write({ ...slice, replaced: over.map(({ id }) => id) }));
      this.#shared.retired.add(bytesOf(over));
    }
    return joined(written);
  }

  /** Everything, sorted, of a load that does not write ahead: to be cut at keys. */
  async sortedRuns(): Promise<LoadPart[][]> {
    await this.settle();
    await this.#keepFollowing();
    return this.#winnersFirst(this.#kept.splice(0).map(({ parts }) => parts));
  }

  /** Writes what runs have of a range. All segments together are a run, in key order. */
  async writeRange(runs: readonly (readonly LoadPart[])[], range: KeyRange): Promise<Piece> {
    const { schema, budget } = this.#shared;
    const { blockBytes } = budget;
    if (runs.length === 0) return joined([]);
    // What is in memory is merged at once.
    const sliceBytes = runs.flat().some(isSpilled) ? budget.sliceBytes : Number.POSITIVE_INFINITY;
    const written: Piece[] = [];
    for (const slice of planSlices(schema, runs, sliceBytes, blockBytes, this.#rules, range)) {
      written.push(await this.#options.write(slice));
    }
    return joined(written);
  }

  #winnersFirst(runs: readonly (readonly LoadPart[])[]): LoadPart[][] {
    const merged = this.#coalesced(runs);
    return this.#shared.onDuplicate === 'first' ? merged : merged.reverse();
  }

  /** Runs that follow each other without overlapping are one. */
  #coalesced(runs: readonly (readonly LoadPart[])[]): LoadPart[][] {
    const { schema } = this.#shared;
    const merged: LoadPart[][] = [];
    for (const run of runs) {
      if (run.length === 0) continue;
      const before = merged.at(-1)?.at(-1);
      const isNext =
        before !== undefined && comesBefore(lastKey(schema, before), firstKey(schema, run[0]));
      if (isNext) merged.at(-1)?.push(...run);
      else merged.push([...run]);
    }
    return merged;
  }
}

function firstKey({ key }: Schema, part: LoadPart): PlainKey {
  return isSpilled(part) ? part.firsts[0] : plainKeyOf(new Segment(part, key), 0);
}

function lastKey({ key }: Schema, part: LoadPart): PlainKey {
  return isSpilled(part) ? part.last : plainKeyOf(new Segment(part, key), part.layout.rows - 1);
}

function joined(pieces: readonly Piece[]): Piece {
  return {
    ids: pieces.flatMap(({ ids }) => ids),
    segments: pieces.flatMap(({ segments }) => segments),
    rows: pieces.reduce((sum, { rows }) => sum + rows, 0),
    bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
    existing: pieces.reduce((sum, { existing }) => sum + existing, 0),
  };
}
