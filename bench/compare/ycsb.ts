/**
 * The six core workloads of YCSB over the rows with text keys: mixes of reads, updates, inserts, scans and
 * read-modify-writes, asked for by Zipf's law. (Its rows have ten fields of 100 characters, these have one.)
 *
 * - What is asked is drawn before the clock runs, the same for every engine.
 * - There are 32 clients in one thread, as a server has requests: their operations come in waves, each of one
 *   operation a client. In a wave, reads and scans come before writes, so that what they see is the same
 *   in engines that write at once and in those that do so in the background. Reads are checked by the tags of
 *   their rows.
 */
import { random } from '../engine/report.ts';
import type { Engine, Sum } from './engine.ts';
import { amountIn, type Key, keyOf, tagIn, tagOf, type Value, valueAt } from './rows.ts';
import { latest, scrambled, type Zipf } from './zipf.ts';

export const YCSB_NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
export type YcsbName = (typeof YCSB_NAMES)[number];

const READ = 0;
const SCAN = 1;
const WRITE = 2;
const CHANGE = 3;

interface Mix {
  readonly about: string;
  readonly reads: number;
  readonly scans?: number;
  readonly inserts?: number;
  /** Reads of a row that is written then. */
  readonly changes?: number;
  readonly isLatest?: boolean;
}

/** Of what a mix leaves, updates. */
export const MIXES: Readonly<Record<YcsbName, Mix>> = {
  a: { about: '50 % reads, 50 % updates', reads: 0.5 },
  b: { about: '95 % reads, 5 % updates', reads: 0.95 },
  c: { about: 'reads only', reads: 1 },
  d: { about: '95 % reads of the latest, 5 % inserts', reads: 0.95, inserts: 0.05, isLatest: true },
  e: { about: '95 % scans of up to 100 rows, 5 % inserts', reads: 0, scans: 0.95, inserts: 0.05 },
  f: { about: '50 % reads, 50 % read-modify-writes', reads: 0.5, changes: 0.5 },
};

export const CLIENTS = 32;
const SCAN_ROWS_MAX = 100;

/** What is known of the rows: how many there are, and the version of each. */
export interface Model {
  count: number;
  readonly versions: Uint16Array;
}

/** Operations in their order, arguments made. */
export interface Operations {
  readonly kinds: Uint8Array;
  readonly keys: readonly Key[];
  /** Of writes. */
  readonly values: readonly (Value | undefined)[];
  /** Of scans. */
  readonly lengths: Uint8Array;
  /** Of rows that are read by key. */
  readonly tags: number;
}

/** Draws operations, and notes in the model what they change. */
export function draw(name: YcsbName, count: number, model: Model, zipf: Zipf, seed: number) {
  const { reads, scans = 0, inserts = 0, changes = 0, isLatest = false } = MIXES[name];
  const next = random(seed);
  const kinds = new Uint8Array(count);
  const lengths = new Uint8Array(count);
  const keys: Key[] = [];
  const values: (Value | undefined)[] = [];
  let tags = 0;
  /** Those that are there when a wave begins. */
  let before = model.count;
  for (let i = 0; i < count; i++) {
    if (i % CLIENTS === 0) before = model.count;
    const share = next();
    if (share < inserts && model.count < model.versions.length) {
      const number = model.count++;
      kinds[i] = WRITE;
      keys.push(keyOf('strings', number));
      values.push(valueAt('strings', number, 0));
      continue;
    }
    zipf.grow(before);
    const rank = zipf.rank(next());
    const number = isLatest ? latest(rank, before) : scrambled(rank, before);
    keys.push(keyOf('strings', number));
    const isRead = share < inserts + reads;
    if (isRead || share < inserts + reads + scans) {
      kinds[i] = isRead ? READ : SCAN;
      if (isRead) tags += tagOf(number);
      else lengths[i] = 1 + Math.floor(next() * SCAN_ROWS_MAX);
      values.push(undefined);
      continue;
    }
    const isChange = share < inserts + reads + scans + changes;
    kinds[i] = isChange ? CHANGE : WRITE;
    if (isChange) tags += tagOf(number);
    values.push(valueAt('strings', number, ++model.versions[number]));
  }
  return { kinds, keys, values, lengths, tags } satisfies Operations;
}

/** What was read: tags of rows by key, and rows and amounts of scans. */
export interface Seen {
  tags: number;
  rows: number;
  sum: number;
}

type Serving = Engine & Required<Pick<Engine, 'get' | 'put' | 'range'>>;

export async function perform(engine: Serving, operations: Operations): Promise<Seen> {
  const put = engine.putAmongOthers ?? engine.put;
  const { kinds, keys, values, lengths } = operations;
  const seen = { tags: 0, rows: 0, sum: 0 };
  for (let from = 0; from < kinds.length; from += CLIENTS) {
    const to = Math.min(kinds.length, from + CLIENTS);
    const scans: (Sum | Promise<Sum>)[] = [];
    for (let i = from; i < to; i++) {
      const kind = kinds[i];
      if (kind === READ || kind === CHANGE) {
        const value = engine.get(keys[i]);
        seen.tags += value === undefined ? Number.NaN : tagIn(amountIn(value));
      } else if (kind === SCAN) scans.push(engine.range(keys[i], lengths[i]));
    }
    for (const scan of scans) {
      const { rows, sum } = scan instanceof Promise ? await scan : scan;
      seen.rows += rows;
      seen.sum += sum;
    }
    const writes: Promise<void>[] = [];
    for (let i = from; i < to; i++) {
      if (kinds[i] !== WRITE && kinds[i] !== CHANGE) continue;
      const written = put(keys[i], values[i] as Value);
      if (written !== undefined) writes.push(written);
    }
    if (writes.length > 0) await Promise.all(writes);
  }
  return seen;
}
