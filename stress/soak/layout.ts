/**
 * The keys of a soak, and what stands behind each. Every key has an index, from 0 on; regions are
 * stretches of indices that are written in different ways. A row follows, to its last byte, from seed,
 * index and version, so that a wrong byte is seen by whoever reads it.
 *
 * Cohorts are keys that are changed together: all or none of them, and where a region is `lockstep`,
 * always all, so that their versions are equal in whatever reads one instant. A cohort belongs to one
 * lane, a thread, which alone writes its keys.
 */

export const REGION_NAMES = ['points', 'groups', 'window', 'blocks', 'sessions'] as const;
export type RegionName = (typeof REGION_NAMES)[number];

export interface Region {
  readonly name: RegionName;
  /** Index of its first key, and of the one behind its last. */
  readonly first: number;
  readonly end: number;
  /** Keys that are changed together. */
  readonly cohort: number;
  /** Whether nothing changes a part of a cohort alone. */
  readonly lockstep: boolean;
}

/** What keys a region gets of all, and in which cohorts. */
const SHARES: Readonly<Record<RegionName, { share: number; cohort: number; lockstep: boolean }>> = {
  points: { share: 0.5, cohort: 1, lockstep: false },
  groups: { share: 0.15, cohort: 8, lockstep: true },
  window: { share: 0.15, cohort: 64, lockstep: false },
  blocks: { share: 0.1, cohort: 512, lockstep: true },
  sessions: { share: 0.1, cohort: 1, lockstep: false },
};
const COHORT_MAX = 512;
export const KEYS_MIN = 20_000;

export interface Layout {
  readonly seed: number;
  readonly lanes: number;
  readonly total: number;
  readonly regions: Readonly<Record<RegionName, Region>>;
}

export function layoutOf(keys: number, lanes: number, seed: number): Layout {
  let first = 0;
  const regions = {} as Record<RegionName, Region>;
  for (const name of REGION_NAMES) {
    const { share, cohort, lockstep } = SHARES[name];
    // A multiple for every lane, so that lanes have whole cohorts, and as many.
    const unit = COHORT_MAX * lanes;
    const end = first + Math.max(1, Math.round((keys * share) / unit)) * unit;
    regions[name] = { name, first, end, cohort, lockstep };
    first = end;
  }
  return { seed, lanes, total: first, regions };
}

/** The indices of a region that a lane writes. */
export function ownOf({ lanes }: Layout, { first, end }: Region, lane: number) {
  const count = (end - first) / lanes;
  return { first: first + lane * count, end: first + (lane + 1) * count };
}

export function regionOf({ regions }: Layout, index: number): Region {
  return Object.values(regions).find(({ end }) => index < end) ?? regions.sessions;
}

/** Gaps between keys, which nobody ever writes. */
const KEYS_APART = 3;
const REGION_KEYS = 2 ** 34;

/** The key of an index in the table, an int64. */
export function keyOf(index: number, { first, name }: Region): number {
  return REGION_NAMES.indexOf(name) * REGION_KEYS + (index - first) * KEYS_APART;
}

export function indexOfKey(key: number, { first, name }: Region): number {
  return first + (key - REGION_NAMES.indexOf(name) * REGION_KEYS) / KEYS_APART;
}

/** The key of an index among sessions, of text, in the order of indices. */
export function sessionOf(index: number): string {
  return `session/${index.toString(36).padStart(6, '0')}`;
}

export function indexOfSession(key: string): number {
  return Number.parseInt(key.slice('session/'.length), 36);
}

export interface Row {
  readonly version: number;
  readonly check: number;
  readonly body: string | null;
}

export const COLUMNS = { version: 'int32', check: 'int32', body: 'utf8?' } as const;

/** A hash of 32 bits (the finalizer of MurmurHash3 over a sum of products). */
export function mix(a: number, b: number, c: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function rowOf(seed: number, index: number, version: number): Row {
  const check = mix(seed, index, version);
  const body = (check & 7) === 0 ? null : `${check}:${index};`.repeat(((check >>> 3) & 3) + 1);
  return { version, check, body };
}

/** Whether every byte is what it was written as. */
export function isSound(seed: number, index: number, row: Row): boolean {
  const { check, body } = rowOf(seed, index, row.version);
  return row.check === check && row.body === body;
}
