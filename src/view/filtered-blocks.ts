/**
 * Blocks of the rows that match a filter and have not expired. Of stretches, pages that cannot match are passed over by their
 * statistics, and those that must are handed on as they are; few rows of many blocks become one.
 */
import type { Schema } from '../schema/schema.ts';
import type { KeyBounds } from './bounds.ts';
import { type Filter, judgePage, testRows, type Verdict } from './filter.ts';
import { groupsOf } from './gather.ts';
import {
  type Block,
  type Picked,
  type RowBlocks,
  rowBlocks,
  type Source,
  type Stretch,
} from './row-blocks.ts';
import type { ShardSnapshot } from './shard-view.ts';
import { STATISTICS_ROWS } from './statistics.ts';

/** Rows looked at in one go: in fewer, what a block costs would be more than what its rows do. */
const LOOKED_AT_MIN = 4096;
const LOOKED_AT_MAX = 65_536;
/** Where few rows are left out, no more are looked at than are wanted; more only where none was left. */
const LOOKED_AT_GROWTH = 4;
/** How many rows are looked at before the caller gets its turn, with a block that may be empty. */
const TURN_ROWS = 2 ** 20;

/**
 * The rows within the bounds that are in force and match the filter; null: all that are in force.
 * @param together as in `rowBlocks`
 */
export function filteredBlocks(
  schema: Schema,
  shards: readonly ShardSnapshot[],
  bounds: KeyBounds,
  reverse: boolean,
  together: boolean,
  filter: Filter | null,
): RowBlocks {
  const blocks = rowBlocks(schema, shards, bounds, reverse, together);
  const inForce = inForceIn(shards);
  if (inForce === null && filter === null) return blocks;
  const parts = [inForce, filter].filter((part) => part !== null);
  const both: Filter = parts.length === 1 ? parts[0] : { kind: 'and', parts };
  return new FilteredBlocks(schema, blocks, both, filter === null ? 1 : LOOKED_AT_MIN);
}

/** What leaves out the rows that have expired; null where it is known that there are none. */
export function inForceIn(shards: readonly ShardSnapshot[]): Filter | null {
  const expiry = shards.at(0)?.view.readers.expiry ?? null;
  if (expiry === null) return null;
  const { nowMs } = shards[0];
  const mayHave = shards.some(
    ({ view, visible }) =>
      view.memtables.some(({ memtable }, i) => memtable.holdsBelow(visible[i].watermark)) ||
      view.runs.some((run) => expiry.firstOf(run) <= nowMs),
  );
  return mayHave ? { kind: 'in force', expiry, nowMs } : null;
}

export class FilteredBlocks implements RowBlocks {
  readonly #schema: Schema;
  readonly #blocks: RowBlocks;
  readonly #filter: Filter;
  readonly #lookedAtMin: number;
  /** Stretches of one verdict each that wait for their turn. */
  #waiting: { readonly stretch: Stretch; readonly verdict: Verdict }[] = [];
  #sources: Source[] = [];
  #source = new Uint16Array(0);
  #row = new Uint32Array(0);
  #count = 0;

  /** @param lookedAtMin rows looked at in one go, at least */
  constructor(schema: Schema, blocks: RowBlocks, filter: Filter, lookedAtMin = LOOKED_AT_MIN) {
    this.#lookedAtMin = lookedAtMin;
    this.#schema = schema;
    this.#blocks = blocks;
    this.#filter = filter;
  }

  /** A block may be empty, and others follow it. */
  next(rows: number): Block | null {
    this.#sources = [];
    this.#count = 0;
    const most = Math.min(LOOKED_AT_MAX, Math.max(rows, LOOKED_AT_MIN));
    let wanted = Math.min(most, Math.max(rows, this.#lookedAtMin));
    for (let seen = 0; seen < TURN_ROWS && this.#count < rows; ) {
      const waiting = this.#waiting.at(0);
      if (waiting?.verdict === 'all') {
        if (this.#count > 0) break;
        this.#waiting.shift();
        return waiting.stretch;
      }
      if (waiting !== undefined) {
        this.#waiting.shift();
        this.#pick(waiting.stretch);
        seen += waiting.stretch.count;
        continue;
      }
      const block = this.#blocks.next(wanted);
      if (block === null) return this.#count === 0 ? null : this.#picked();
      if (block.segment === null) this.#pick(block);
      else this.#waiting = judged(this.#filter, block);
      seen += block.count;
      wanted = Math.min(most, LOOKED_AT_GROWTH * wanted);
    }
    return this.#picked();
  }

  #picked(): Picked {
    const [sources, source, row, count] = [this.#sources, this.#source, this.#row, this.#count];
    return { segment: null, sources, source, row, count };
  }

  /** Adds the rows of a block that match. */
  #pick(block: Block): void {
    const mask = new Uint8Array(block.count);
    const groups = groupsOf(block);
    if (block.segment !== null) {
      testRows(this.#schema, this.#filter, groups[0], mask);
    } else {
      const part = new Uint8Array(block.count);
      for (const group of groups) {
        testRows(this.#schema, this.#filter, group, part);
        for (let i = 0; i < group.count; i++) mask[group.at[i]] = part[i];
      }
    }
    this.#makeRoom(block.count);
    const first = this.#sources.length;
    const [source, row] = [this.#source, this.#row];
    let at = this.#count;
    if (block.segment !== null) {
      this.#sources.push(block.segment);
      for (let i = 0; i < block.count; i++) {
        source[at] = first;
        row[at] = block.start + i;
        at += mask[i];
      }
    } else {
      this.#sources.push(...block.sources);
      for (let i = 0; i < block.count; i++) {
        source[at] = first + block.source[i];
        row[at] = block.row[i];
        at += mask[i];
      }
    }
    this.#count = at;
  }

  #makeRoom(rows: number): void {
    const needed = this.#count + rows;
    if (needed <= this.#row.length) return;
    const room = 2 ** Math.ceil(Math.log2(needed));
    const source = new Uint16Array(room);
    const row = new Uint32Array(room);
    source.set(this.#source.subarray(0, this.#count));
    row.set(this.#row.subarray(0, this.#count));
    this.#source = source;
    this.#row = row;
  }
}

/** The parts of a stretch that may match, cut where pages of another verdict begin. */
export function judged(
  filter: Filter,
  { segment, start, count }: Stretch,
): { readonly stretch: Stretch; readonly verdict: Verdict }[] {
  const parts: { stretch: Stretch; verdict: Verdict }[] = [];
  const end = start + count;
  for (let from = start; from < end; ) {
    const page = Math.floor(from / STATISTICS_ROWS);
    const to = Math.min(end, (page + 1) * STATISTICS_ROWS);
    const verdict = judgePage(filter, segment, page);
    const last = parts.at(-1);
    if (verdict !== 'none') {
      if (last?.verdict === verdict && last.stretch.start + last.stretch.count === from) {
        last.stretch = { ...last.stretch, count: to - last.stretch.start };
      } else {
        parts.push({ stretch: { segment, start: from, count: to - from }, verdict });
      }
    }
    from = to;
  }
  return parts;
}
