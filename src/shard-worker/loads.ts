/**
 * Bulk loads under way in one shard. A load is as old as its mark, a record of the log: what older records
 * made is replaced by its rows, and what newer ones made, while its rows were still on their way, stays.
 *
 * - The memtable is sealed at a mark, so each memtable and each run is older than a load or newer than it,
 *   as a whole. To keep it so, no merge reaches across the mark of a load that is not over.
 * - Its segments are files that no manifest names, until all shards publish it together (engine.ts).
 * - A range that is deleted meanwhile is newer, too: what memtables that were flushed had of ranges is
 *   kept here, to be cleared of its rows.
 */
import type { ClearedRange } from '../view/cleared.ts';
import type { Run } from '../view/segment.ts';
import type { MergePlan } from './compaction.ts';
import type { SegmentRecord } from './manifest.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';

export interface OpenLoad {
  readonly name: string;
  /** The LSN of its mark. */
  readonly lsn: number;
  /** What was written for it, by the numbers of the segments. */
  readonly written: Map<number, WrittenSegmentFiles>;
  /** Ranges that were deleted since its mark, of memtables that are flushed. */
  readonly cleared: ClearedRange[];
  /** Jobs of it that are under way. */
  readonly jobs: Set<Promise<unknown>>;
}

/** Where a run with this LSN belongs among the runs, newest first. */
export function placeOf(records: readonly (readonly SegmentRecord[])[], lsn: number): number {
  const at = records.findIndex((run) => run[0].lastLsn < lsn);
  return at < 0 ? records.length : at;
}

/** As many loads may end before their marks come, and be known by then. */
const OVER_MAX = 1024;

export class Loads {
  readonly #open = new Map<string, OpenLoad>();
  /** Names of loads that were over before they had a mark here, which may be on its way; the latest last. */
  readonly #over = new Set<string>();

  mark(name: string, lsn: number): void {
    if (this.#over.delete(name)) return;
    const load = { name, lsn, written: new Map(), cleared: [], jobs: new Set<Promise<unknown>>() };
    this.#open.set(name, load);
  }

  get(name: string): OpenLoad | undefined {
    return this.#open.get(name);
  }

  /** It is over: nothing is kept for it any more. */
  delete(name: string): void {
    if (this.#open.delete(name)) return;
    this.#over.add(name);
    if (this.#over.size <= OVER_MAX) return;
    const [oldest] = this.#over;
    this.#over.delete(oldest);
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  get all(): OpenLoad[] {
    return [...this.#open.values()];
  }

  /** The newest mark that is not newer than a record; 0 where there is none. */
  markBefore(lsn: number): number {
    let mark = 0;
    for (const load of this.#open.values()) if (load.lsn <= lsn) mark = Math.max(mark, load.lsn);
    return mark;
  }

  /** Ranges of a memtable that was flushed, whose last record is `lastLsn`. */
  clear(ranges: readonly ClearedRange[], lastLsn: number): void {
    for (const load of this.#open.values()) if (load.lsn < lastLsn) load.cleared.push(...ranges);
  }

  /** What to merge next, by a rule, among runs that no mark stands between. */
  plan(
    runs: readonly Run[],
    records: readonly (readonly SegmentRecord[])[],
    rule: (runs: readonly Run[]) => MergePlan | null,
  ): MergePlan | null {
    if (this.isEmpty) return rule(runs);
    for (const { start, end } of this.#stretches(records)) {
      const plan = rule(runs.slice(start, end));
      if (plan !== null) return { ...plan, start: plan.start + start, end: plan.end + start };
    }
    return null;
  }

  /** The same of the oldest of these stretches alone, behind which there is nothing to hide. */
  planOldest(
    runs: readonly Run[],
    records: readonly (readonly SegmentRecord[])[],
    rule: (runs: readonly Run[]) => MergePlan | null,
  ): MergePlan | null {
    const start = this.#stretches(records).at(-1)?.start ?? 0;
    const plan = rule(runs.slice(start));
    return plan && { ...plan, start: plan.start + start, end: plan.end + start };
  }

  #stretches(records: readonly (readonly SegmentRecord[])[]): { start: number; end: number }[] {
    const cuts = [...this.#open.values()].map(({ lsn }) => placeOf(records, lsn));
    const ends = [...cuts, records.length].sort((a, b) => a - b);
    return ends.map((end, i) => ({ start: i === 0 ? 0 : ends[i - 1], end }));
  }
}
