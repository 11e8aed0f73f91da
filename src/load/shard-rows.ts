/**
 * What a load has of one shard: chunks as they come, sorted runs as they are made of them in the pool, in the
 * order of the source. As long as each run comes behind the one before, they are written already, piece by
 * piece, and let go of; where one does not, all of them are merged in the end.
 */
import type { KeyType, Schema } from '../schema/schema.ts';
import { Segment, type SegmentHandle } from '../view/segment.ts';
import type { LoadPool } from './pool.ts';
import { CHUNKS_MAX, type OnDuplicate } from './sort.ts';

/** Segments of a shard that were written. */
export interface Piece {
  readonly ids: readonly number[];
  /** The same segments, to be merged with others if need be. */
  readonly segments: readonly SegmentHandle[];
  readonly rows: number;
  /** Of files. */
  readonly bytes: number;
}

/** Writes rows as segments: sorted runs, the one whose rows win first. */
export type WriteRuns = (runs: readonly (readonly SegmentHandle[])[]) => Promise<Piece>;

export interface ShardRowsOptions {
  readonly schema: Schema;
  readonly pool: Pick<LoadPool, 'sort'>;
  readonly onDuplicate: OnDuplicate;
  /** Bytes of chunks that are sorted together, about, and of runs that are written together. */
  readonly runBytes: number;
  readonly pieceBytes: number;
  readonly write: WriteRuns;
}

const bytesOf = (segments: readonly SegmentHandle[]): number =>
  segments.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);

export class ShardRows {
  /** Bytes of chunks and runs that are held. */
  bytes = 0;
  readonly #options: ShardRowsOptions;
  #chunks: SegmentHandle[] = [];
  #chunkBytes = 0;
  /** Sorts that are not taken yet. */
  #sorting = 0;
  #taken: Promise<void> = Promise.resolve();
  /** Runs that each come behind the one before and the pieces; then, from the first that does not, the others. */
  #following: SegmentHandle[] = [];
  #last: SegmentHandle | null = null;
  readonly #pieces: Piece[] = [];
  readonly #others: (readonly SegmentHandle[])[] = [];

  constructor(options: ShardRowsOptions) {
    this.#options = options;
  }

  add(chunk: SegmentHandle): void {
    const { bodyBytes } = chunk.layout;
    this.#chunks.push(chunk);
    this.#chunkBytes += bodyBytes;
    this.bytes += bodyBytes;
    const isFull = this.#chunkBytes >= this.#options.runBytes || this.#chunks.length === CHUNKS_MAX;
    if (isFull) this.#sort();
  }

  #sort(): void {
    if (this.#chunks.length === 0) return;
    const { schema, pool, onDuplicate } = this.#options;
    const [chunks, chunkBytes] = [this.#chunks, this.#chunkBytes];
    this.#chunks = [];
    this.#chunkBytes = 0;
    this.#sorting++;
    const sort = pool.sort({ schema, chunks, onDuplicate });
    sort.catch(() => {});
    const before = this.#taken;
    this.#taken = (async () => {
      await before;
      const { segments } = await sort;
      this.bytes += bytesOf(segments) - chunkBytes;
      this.#sorting--;
      await this.#take(segments);
    })();
    this.#taken.catch(() => {});
  }

  async #take(run: readonly SegmentHandle[]): Promise<void> {
    const { schema, pieceBytes } = this.#options;
    const isNext = this.#last === null || precedes(this.#last, run[0], schema.key);
    if (this.#others.length > 0 || !isNext) {
      this.#others.push(run);
      return;
    }
    this.#following.push(...run);
    this.#last = run[run.length - 1];
    if (bytesOf(this.#following) >= pieceBytes) await this.#writePiece();
  }

  async #writePiece(): Promise<void> {
    const runs = this.#following;
    this.#following = [];
    this.#pieces.push(await this.#options.write([runs]));
    this.bytes -= bytesOf(runs);
  }

  /** Waits until so few sorts are under way that another may begin. @throws what a sort or a write threw */
  async ready(most: number): Promise<void> {
    if (this.#sorting > most) await this.#taken;
  }

  /** Writes what is left. All segments together are a run, in key order. */
  async finish(): Promise<Piece> {
    this.#sort();
    await this.#taken;
    const { onDuplicate, write } = this.#options;
    if (this.#others.length === 0) {
      if (this.#following.length > 0) await this.#writePiece();
      return joined(this.#pieces);
    }
    const first = [...this.#pieces.flatMap(({ segments }) => segments), ...this.#following];
    const runs = this.#coalesced([first, ...this.#others]);
    return write(onDuplicate === 'first' ? runs : runs.reverse());
  }

  /** Runs that follow each other without overlapping are one. */
  #coalesced(runs: readonly (readonly SegmentHandle[])[]): SegmentHandle[][] {
    const { key } = this.#options.schema;
    const merged: SegmentHandle[][] = [];
    for (const run of runs) {
      const before = merged.at(-1)?.at(-1);
      if (before !== undefined && precedes(before, run[0], key)) merged.at(-1)?.push(...run);
      else merged.push([...run]);
    }
    return merged;
  }
}

function joined(pieces: readonly Piece[]): Piece {
  return {
    ids: pieces.flatMap(({ ids }) => ids),
    segments: pieces.flatMap(({ segments }) => segments),
    rows: pieces.reduce((sum, { rows }) => sum + rows, 0),
    bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Whether all keys of a run come before those of another. */
function precedes(a: SegmentHandle, b: SegmentHandle, key: KeyType): boolean {
  const [one, other] = [new Segment(a, key), new Segment(b, key)];
  return one.compareRows(one.rows - 1, other, 0) < 0;
}
