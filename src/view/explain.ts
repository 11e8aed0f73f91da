/**
 * `ShardView.get` retold: what a look-up asks, in its order, and what it costs there. It reads the same
 * memory by the same rules and stops where `get` stops; tests hold the two to one another.
 *
 * Cache lines are those of 64 bytes that the look-up reads of memtable, model, keys and row. That is
 * what a look-up costs where nothing of it is cached: an estimate, since compact objects of the heap
 * are left out and what was read lately costs next to nothing.
 */
import {
  bytesReadsOf,
  candidatesOf,
  type Descent,
  descendBytes,
  descendF64,
  descendWords,
  FINGERPRINT_WINDOW,
  type PathNode,
  readsOf,
  windowOf,
} from '../rmi/index.ts';
import type { EncodedKey } from '../schema/key-bytes.ts';
import { ARENA_START, type Memtable, type Visibility } from './memtable.ts';
import type { KeyForm, Run, Segment } from './segment.ts';
import type { ShardView } from './shard-view.ts';

/**
 * What a memtable or a run had of the key: a row, one that has expired, the mark that it was deleted, alone
 * or with a range, or nothing.
 */
export type Found = 'row' | 'expired' | 'tombstone' | 'nothing';

/** A memtable that was asked. */
export interface MemtableProbe {
  /** The active one comes first; sealed ones wait to be written to a segment. */
  readonly state: 'active' | 'sealed';
  /** Entries in it, versions included. */
  readonly entries: number;
  /** Keys that were compared: those in the key's bucket, up to the key itself. */
  readonly comparisons: number;
  readonly found: Found;
}

/** A run that was asked. Positions are rows of the segment, from 0. */
export interface RunProbe {
  readonly segments: number;
  readonly rows: number;
  /** The one segment that can hold the key; null where the key is beyond the last of several. */
  readonly segment: SegmentProbe | null;
  readonly found: Found;
}

export interface SegmentProbe {
  /** The number in the name of its file. */
  readonly id: number;
  readonly rows: number;
  /** What is compared: numbers, keys of 64 bits as two words, or bytes. */
  readonly form: KeyForm;
  /** The nodes of the model that lead to the prediction, from the root. */
  readonly path: readonly PathNode[];
  readonly predicted: number;
  /** The largest error of the model for a key that is there, in this part of it. */
  readonly errorMax: number;
  /** The keys that are searched first; of bytes, those whose fingerprints are looked at first. */
  readonly window: { readonly first: number; readonly keys: number };
  /** Where the key is, or would be: of the first key that is not smaller. */
  readonly position: number;
  /** The distance between prediction and position. */
  readonly error: number;
  readonly comparisons: number;
}

export interface LookupExplanation {
  /** What `get` finds: it gives undefined for anything but a row. */
  readonly found: Found;
  /** Those asked, newest first. The last one asked of all has the key, if any has. */
  readonly memtables: readonly MemtableProbe[];
  readonly runs: readonly RunProbe[];
  /** Keys compared in all. */
  readonly comparisons: number;
  readonly cacheLines: number;
}

/** Whether a row, given as in `Expiry.at`, has expired. */
type HasExpired = (source: Memtable | Segment, row: number) => boolean;

interface Cost {
  comparisons: number;
  cacheLines: number;
}

const LINE_BYTES = 64;
const KEYS_PER_LINE = LINE_BYTES / 8;
const OFFSETS_PER_LINE = LINE_BYTES / 4;

/** Explains the look-up of a key. The arguments are those of `ShardView.get`, and the time. */
export function explainLookup(
  view: ShardView,
  hash: number,
  hi: number,
  lo: number,
  number: number,
  bytes: EncodedKey | null = null,
  nowMs = 0,
): LookupExplanation {
  const memtables: MemtableProbe[] = [];
  const runs: RunProbe[] = [];
  const cost: Cost = { comparisons: 0, cacheLines: 0 };
  const hasExpired = (source: Memtable | Segment, row: number): boolean =>
    (view.readers.expiry?.at(source, row) ?? Number.POSITIVE_INFINITY) <= nowMs;
  const explanation = (found: Found): LookupExplanation => ({ found, memtables, runs, ...cost });
  for (const [i, { memtable, visible }] of view.memtables.entries()) {
    visible.watermark = memtable.watermark;
    if (visible.watermark === ARENA_START) continue;
    const state = i === 0 ? 'active' : 'sealed';
    const probe = {
      state,
      ...probeMemtable(memtable, hash, hi, lo, bytes, visible, cost, hasExpired),
    } as const;
    const isCleared = memtable.hasRanges && memtable.clears(hi, lo, bytes, visible);
    const found = probe.found === 'nothing' && isCleared ? 'tombstone' : probe.found;
    memtables.push({ ...probe, found });
    if (found !== 'nothing') return explanation(found);
  }
  for (const run of view.runs) {
    const probe = probeRun(run, hash, hi, lo, number, bytes, cost, hasExpired);
    const isThere = probe.found === 'row' || probe.found === 'expired';
    const found = isThere && run.clears(hi, lo, bytes) ? 'tombstone' : probe.found;
    runs.push({ ...probe, found });
    if (found !== 'nothing') return explanation(found);
  }
  return explanation('nothing');
}

function probeMemtable(
  memtable: Memtable,
  hash: number,
  hi: number,
  lo: number,
  bytes: EncodedKey | null,
  visible: Visibility,
  cost: Cost,
  hasExpired: HasExpired,
) {
  const stored = bytes === null ? null : bytes.stored;
  const comparisons = memtable.comparisons(hash, hi, lo, stored);
  const entry =
    stored === null
      ? memtable.find(hash, hi, lo, visible)
      : memtable.findStored(hash, stored, 0, visible);
  cost.comparisons += comparisons;
  cost.cacheLines += 1 + comparisons;
  const { entries } = memtable;
  if (entry === 0) return { entries, comparisons, found: 'nothing' } as const;
  if (memtable.isTombstone(entry)) return { entries, comparisons, found: 'tombstone' } as const;
  const row = memtable.rowAt(entry);
  cost.cacheLines += Math.ceil((memtable.following(entry) - row) / LINE_BYTES);
  const found: Found = hasExpired(memtable, row) ? 'expired' : 'row';
  return { entries, comparisons, found };
}

function probeRun(
  run: Run,
  hash: number,
  hi: number,
  lo: number,
  number: number,
  bytes: EncodedKey | null,
  cost: Cost,
  hasExpired: HasExpired,
): RunProbe {
  const segments = run.segments.length;
  const { rows } = run;
  // The last keys of the segments, halved until one is left.
  const halvings = Math.ceil(Math.log2(segments));
  cost.comparisons += halvings;
  cost.cacheLines += Math.min(halvings, Math.ceil(segments / KEYS_PER_LINE));
  const segment = run.only ?? run.segmentFor(hi, lo, bytes);
  if (segment === null) return { segments, rows, segment, found: 'nothing' };
  const probe = probeSegment(segment, hash, hi, lo, number, bytes, cost);
  const row = bytes === null ? segment.find(hi, lo, number) : segment.findBytes(bytes, hash);
  if (row < 0) return { segments, rows, segment: probe, found: 'nothing' };
  if (segment.flags !== null) cost.cacheLines++;
  if (segment.isDeleted(row)) return { segments, rows, segment: probe, found: 'tombstone' };
  for (const { validity, offsets } of segment.handle.layout.columns) {
    cost.cacheLines += 1 + Number(validity !== null) + Number(offsets !== null);
  }
  const found = hasExpired(segment, row) ? 'expired' : 'row';
  return { segments, rows, segment: probe, found };
}

function probeSegment(
  segment: Segment,
  hash: number,
  hi: number,
  lo: number,
  number: number,
  bytes: EncodedKey | null,
  cost: Cost,
): SegmentProbe {
  const { id, rows, form } = segment;
  const { path, predicted, errorMax, cacheLines } = descentIn(segment, hi, lo, number, bytes);
  const position = segment.lowerBound(hi, lo, number, bytes);
  let [window, reads] = [windowOf(rows, predicted), [] as readonly number[]];
  if (bytes === null) {
    reads = readsOf(rows, predicted, position, segment.find(hi, lo, number) >= 0);
  } else {
    const { first, positions } = candidatesOf(segment.handle.model, bytes, hash);
    const isThere = segment.findBytes(bytes, hash) >= 0;
    window = { first, keys: Math.min(FINGERPRINT_WINDOW, rows - first) };
    reads = bytesReadsOf(rows, predicted, position, isThere, positions);
    // The fingerprints, and those beside them where the first do not tell.
    cost.cacheLines += positions[0] === position ? 1 : 2;
  }
  cost.comparisons += reads.length;
  cost.cacheLines += cacheLines + keyLines(segment, reads);
  return {
    id,
    rows,
    form,
    path,
    predicted,
    errorMax,
    window,
    position,
    error: Math.abs(predicted - position),
    comparisons: reads.length,
  };
}

function descentIn(
  { handle: { model }, form, keys, keyOffsets }: Segment,
  hi: number,
  lo: number,
  number: number,
  bytes: EncodedKey | null,
): Descent {
  if (bytes !== null) return descendBytes(model, keys, keyOffsets, bytes);
  return form === 'f64' ? descendF64(model, number) : descendWords(model, lo, hi);
}

/** Lines in which the keys at some rows lie; of keys of variable length, where they begin. */
function keyLines({ form, keyOffsets }: Segment, reads: readonly number[]): number {
  const lines = new Set<string>();
  for (const at of reads) {
    if (form === 'bytes') {
      lines.add(`offset ${Math.floor(at / OFFSETS_PER_LINE)}`);
      lines.add(`key ${Math.floor(keyOffsets[at] / LINE_BYTES)}`);
    } else {
      lines.add(`key ${Math.floor(at / KEYS_PER_LINE)}`);
    }
  }
  return lines.size;
}
