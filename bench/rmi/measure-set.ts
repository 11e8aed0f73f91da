/**
 * Everything about one set of keys: our index trained and proved right, timed against other designs
 * and against native code, and the engine that it serves against other engines.
 */
import { type Hits, hits } from '../engine/hits.ts';
import type { Key, Rows } from '../engine/stores.ts';
import { measureByteIndex } from './byte-index.ts';
import { type Design, field, type Rival } from './contenders/field.ts';
import { aboutSet, type FixedSet, type KeySet, keyAt, makeSet } from './key-sets.ts';
import { compareLanguages, type Languages, type Programs } from './languages.ts';
import { inTurns, randomPositions } from './measure.ts';
import { type Picture, pictureOf } from './picture.ts';
import { type Training, trainSubject } from './subject.ts';
import { type Verified, verify } from './verify.ts';

export interface SetOptions {
  readonly name: string;
  readonly rows: number;
  /** Look-ups of the bare index, and gets of the engine, each round. */
  readonly probes: number;
  readonly gets: number;
  readonly rounds: number;
  readonly shards: number;
  /** Whether engines that must be installed take part. */
  readonly peers: boolean;
  /** Whether other designs of indexes are left out, which take most of the time. */
  readonly brief: boolean;
  readonly programs: Programs;
}

export interface SetResult {
  readonly name: string;
  readonly about: string;
  readonly form: KeySet['form'];
  readonly type: KeySet['type'];
  readonly count: number;
  readonly index: IndexResult;
  /** What a get takes in each engine. */
  readonly engine: Hits;
}

export interface IndexResult {
  readonly training: Training;
  readonly verified: Verified;
  /** Ours first, then plain binary search, then others: those are for keys of fixed width only. */
  readonly rivals: readonly RivalFigures[];
  /** Null for keys of any length. */
  readonly languages: Languages | null;
  /** Null for keys of any length: nothing is to scale between them. */
  readonly picture: Picture | null;
}

export type RivalFigures = Omit<Rival, 'contender'> & { readonly ns: number };

/** @throws at the first wrong answer of anybody */
export async function measureSet(
  options: SetOptions,
  onProgress: (what: string) => void,
): Promise<SetResult> {
  const { name, rows } = options;
  onProgress('making keys');
  const set = makeSet(name, rows);
  const index =
    set.form === 'bytes'
      ? measureByteIndex(set, options, onProgress)
      : await measureIndex(set, options, onProgress);
  onProgress('engines');
  const engine = await measureEngine(set, options, onProgress);
  const { form, type, count } = set;
  return { name, about: aboutSet(name), form, type, count, index, engine };
}

async function measureIndex(
  set: FixedSet,
  { probes, rounds, brief, programs }: SetOptions,
  onProgress: (what: string) => void,
): Promise<IndexResult> {
  onProgress('training');
  const [subject, training] = trainSubject(set, probes);
  onProgress('looking every key up');
  const verified = verify(subject);
  const rivals = await field(subject, brief, (rival) => onProgress(`training ${rival}`));
  onProgress(`timing ${rivals.length} indexes`);
  const ns = inTurns(
    Object.fromEntries(rivals.map(({ contender }, i) => [i, contender])),
    probes,
    rounds,
  );
  const figures = rivals.map(({ design, size, bytes, search }, i): RivalFigures => {
    return { design, size, bytes, search, ns: ns[i] };
  });
  onProgress('timing other languages');
  return {
    training,
    verified,
    rivals: figures,
    languages: await compareLanguages(subject, programs, rounds),
    picture: pictureOf(subject),
  };
}

function measureEngine(
  set: KeySet,
  { gets, rounds, shards, peers }: SetOptions,
  onProgress: (what: string) => void,
): Promise<Hits> {
  const rows: Rows = {
    type: set.type,
    count: set.count,
    bigints: set.form === 'words',
    keyAt: (i) => keyAt(set, i),
  };
  const values = randomPositions(set.count, gets, 8);
  const keys =
    set.form === 'f64'
      ? Float64Array.from(values, (position) => set.keys[position])
      : Array.from(values, (position): Key => keyAt(set, position));
  return hits(rows, { keys, values }, { shards, rounds, peers, onProgress });
}

/** The quickest of a design, or undefined. */
export function best(rivals: readonly RivalFigures[], design: Design): RivalFigures | undefined {
  return rivals.filter((rival) => rival.design === design).sort((a, b) => a.ns - b.ns)[0];
}
