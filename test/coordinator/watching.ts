/** What the tests of `watch` share: a copy of a database, kept by its changes alone. */
import type { Change, Changes, Database, Watch } from '../../src/index.ts';

export type Numbers = Database<number, { value: number }, number, { value: number }>;
export type NumbersWatch = Watch<number, { value: number }>;

/** Keys in every shard, none of them written by anything else: a batch of them comes behind all before. */
const SENTINELS = Array.from({ length: 64 }, (_, i) => -1 - i);

/** Whether a key is one of `seal`. */
export function isSentinel(key: number): boolean {
  return key < 0;
}

/** Writes what `followTo` stops at: behind every write that was acknowledged. */
export async function seal(db: Numbers, stamp: number): Promise<void> {
  const value = { value: stamp };
  await db.batch(SENTINELS.map((key) => ({ type: 'put', key, value })));
}

export function isSeal(changes: readonly Change<number, { value: number }>[], stamp: number) {
  return changes.some(
    (one) => one.type === 'put' && isSentinel(one.key) && one.value.value === stamp,
  );
}

/** All groups up to the seal with this stamp. */
export async function groupsTo(
  watch: NumbersWatch,
  stamp: number,
): Promise<Changes<number, { value: number }>[]> {
  const groups: Changes<number, { value: number }>[] = [];
  for (;;) {
    const { value: group } = await watch.next();
    if (group === undefined) throw new Error(`The watch ended before the seal ${stamp}.`);
    groups.push(group);
    if (isSeal(group.changes, stamp)) return groups;
  }
}

/** Makes the changes in a copy, as whoever replicates a database would. */
export function apply(
  copy: Map<number, number>,
  changes: readonly Change<number, { value: number }>[],
): void {
  for (const change of changes) {
    if (change.type === 'put') copy.set(change.key, change.value.value);
    else if (change.type === 'del') copy.delete(change.key);
    else if (change.type === 'clear') {
      const { gt, gte, lt, lte } = change.range;
      for (const key of copy.keys()) {
        const isBefore = (gt !== undefined && key <= gt) || (gte !== undefined && key < gte);
        const isBehind = (lt !== undefined && key >= lt) || (lte !== undefined && key > lte);
        if (!isBefore && !isBehind) copy.delete(key);
      }
    }
  }
}

/** The content of a database or a snapshot, sentinels too. */
export function contentOf(db: Pick<Numbers, 'entries'>): Map<number, number> {
  return new Map([...db.entries()].map(([key, { value }]) => [key, value]));
}

export function sorted(copy: ReadonlyMap<number, number>): [number, number][] {
  return [...copy].sort(([a], [b]) => a - b);
}
