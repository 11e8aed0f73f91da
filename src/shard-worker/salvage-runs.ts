/**
 * The runs of a shard as salvage finds them: those that the manifest names, or, where no manifest can be
 * read, those that the segments in the directory make up by what their model files say of them.
 */
import { join } from 'node:path';
import { isDamage } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { sizeOf } from '../wal/files.ts';
import {
  idOfSegmentFile,
  type Manifest,
  modelName,
  type SegmentRecord,
  segmentName,
} from './manifest.ts';
import { describeSegment, type SegmentPlace } from './model-files.ts';
import { salvageSegment } from './salvage-segment.ts';
import type { Salvaged } from './salvaged.ts';
import { readSegmentFiles } from './segment-files.ts';
import { type Span, spanOf } from './segment-shape.ts';

/** A segment that is sound, or one to be written of what is left of it. */
export type FoundSegment = SegmentRecord | ((id: number) => SegmentRecord);

/** What salvage of a shard comes upon. */
export interface Damage {
  /** Without what follows from the shard and the file. */
  readonly dropped: readonly Omit<Salvaged, 'shard' | 'kept'>[];
  /** Names of damaged files that nobody needs any more, if they are there. */
  readonly damaged: readonly string[];
}

/** Whether all segments that a manifest names are there. */
export function hasSegments(storage: Storage, directory: string, { runs }: Manifest): boolean {
  return runs.flat().every(({ id }) => storage.exists(join(directory, segmentName(id))));
}

/**
 * Reads every segment. Those that are sound, or only lack a model, stay as they are. A run of which nothing
 * is left is empty.
 */
export function checkRuns(
  storage: Storage,
  place: SegmentPlace,
  runs: readonly (readonly SegmentRecord[])[],
): Damage & { readonly runs: readonly (readonly FoundSegment[])[] } {
  const dropped: Damage['dropped'][number][] = [];
  const damaged: string[] = [];
  const checked = runs.map((run) =>
    run.flatMap((record): FoundSegment[] => {
      try {
        readSegmentFiles(storage, place, record);
        return [record];
      } catch (error) {
        if (!isDamage(error)) throw error;
        const { damage, write } = salvageSegment(storage, place, record);
        const file = join(place.directory, segmentName(record.id));
        const { firstLsn, lastLsn } = record;
        for (const pages of damage) {
          const what = 'segment';
          dropped.push({ what, file, ...pages, reason: error.message, firstLsn, lastLsn });
        }
        damaged.push(segmentName(record.id), modelName(record.id));
        return write === null ? [] : [write];
      }
    }),
  );
  return { runs: checked, dropped, damaged };
}

/**
 * A manifest made of what the segments in the directory say of themselves. What an unfinished merge left,
 * and what a finished one made superfluous, is told by the records of the log that they hold.
 * @param empty the manifest of a shard without anything
 * @param firstLsn the first record that the log can hold; null without one
 */
export function withoutManifest(
  storage: Storage,
  place: SegmentPlace,
  empty: Manifest,
  firstLsn: number | null,
): Damage & { readonly manifest: Manifest } {
  const { directory } = place;
  const { runs, lost, nextId } = runsOfDirectory(storage, place);
  const dropped = lost.map((id): Damage['dropped'][number] => {
    const file = join(directory, segmentName(id));
    const reason = 'its model file, with the checksums of its pages, is damaged or missing too';
    return { ...UNKNOWN, what: 'segment', file, bytes: sizeOf(storage, file), reason };
  });
  const whole = runs.filter((run) => run.length === run[0].parts).map(([first]) => first);
  const flushedLsn = whole.length === 0 ? 0 : spanOf(whole).lastLsn;
  const logLsn = firstLsn ?? flushedLsn + 1;
  const spans = [...runs.map(([first]) => first), { firstLsn: logLsn, lastLsn: logLsn }];
  for (const gap of gapsOf(spans)) {
    const reason = 'no segment that is left holds these records, nor does the log';
    dropped.push({ ...UNKNOWN, ...gap, what: 'segment', file: directory, reason });
  }
  // What was cleared of them only the manifest knew.
  const cleared = runs.map(() => []);
  return {
    manifest: { ...empty, flushedLsn, logLsn, durableLsn: flushedLsn, nextId, runs, cleared },
    dropped,
    damaged: lost.flatMap((id) => [segmentName(id), modelName(id)]),
  };
}

const UNKNOWN = { offset: 0, bytes: 0, rows: null, firstLsn: null, lastLsn: null } as const;

/** Newest first. `lost`: segments that nothing is known of, as their model files are damaged. */
function runsOfDirectory(storage: Storage, place: SegmentPlace) {
  const ids = new Set<number>();
  for (const name of storage.list(place.directory)) {
    const id = idOfSegmentFile(name);
    if (id !== null) ids.add(id);
  }
  const lost: number[] = [];
  const groups = new Map<number, Map<number, SegmentRecord>>();
  for (const id of ids) {
    if (!storage.exists(join(place.directory, segmentName(id)))) continue;
    const record = describeSegment(storage, place, id);
    if (record === null) {
      lost.push(id);
      continue;
    }
    // Of a damaged segment, a salvage that was killed may have written what is left: the newer one.
    const parts = groups.get(record.run) ?? new Map();
    groups.set(record.run, parts.set(record.part, record));
  }
  const runs = [...groups.values()].map((parts) =>
    [...parts.values()].toSorted((a, b) => a.part - b.part),
  );
  const whole = runs.filter((run) => run.length === run[0].parts);
  const kept = runs.filter((run) => !whole.some(([other]) => replaces(other, run[0])));
  kept.sort(([a], [b]) => b.lastLsn - a.lastLsn || b.run - a.run);
  return { runs: kept, lost, nextId: Math.max(0, ...ids) + 1 };
}

/** Whether a whole run holds all of another: it was merged, later, from it and others. */
function replaces(a: SegmentRecord, b: SegmentRecord): boolean {
  return a.run > b.run && a.firstLsn <= b.firstLsn && b.lastLsn <= a.lastLsn;
}

/** The records before the last that none of the spans holds. */
function gapsOf(spans: readonly Span[]): Span[] {
  const gaps: Span[] = [];
  let next = 1;
  for (const { firstLsn, lastLsn } of spans.toSorted((a, b) => a.firstLsn - b.firstLsn)) {
    if (firstLsn > next) gaps.push({ firstLsn: next, lastLsn: firstLsn - 1 });
    next = Math.max(next, lastLsn + 1);
  }
  return gaps;
}
