/**
 * A watch of the groups, over as long as the database is open: what it tells must make the same copy as
 * what was acknowledged, every group of keys comes whole, and no key goes back.
 */
import { type Change, OmenError } from '../../src/index.ts';
import type { Table } from './databases.ts';
import { indexOfKey, isSound, keyOf, type Layout, type Row } from './layout.ts';
import { ABSENT, kindOf, NOTHING, type Oracle, versionOf } from './oracle.ts';

/** What may end a watch: the log was given up before it was read, or could not be read. */
const ENDS: readonly string[] = ['OMEN_LSN_GONE', 'OMEN_IO', 'OMEN_CLOSED', 'OMEN_ABORTED'];

export class Watching {
  readonly #layout: Layout;
  readonly #copy: Int32Array;
  readonly #onFault: (what: string) => void;
  readonly #ending = new AbortController();
  #told = 0;
  /** Why it ended, or null. */
  ended: string | null = null;
  readonly #over: Promise<void>;

  constructor(table: Table, layout: Layout, onFault: (what: string) => void) {
    this.#layout = layout;
    this.#onFault = onFault;
    const { groups } = layout.regions;
    this.#copy = new Int32Array(groups.end - groups.first).fill(NOTHING);
    const range = { gte: keyOf(groups.first, groups), lt: keyOf(groups.end, groups) };
    using snapshot = table.snapshot();
    const { signal } = this.#ending;
    const watch = table.watch({ ...range, from: snapshot.position, signal });
    for (const [key, { version }] of snapshot.entries(range)) this.#set(key, version);
    this.#over = this.#follow(watch);
  }

  #set(key: number, version: number): void {
    const { groups } = this.#layout.regions;
    this.#copy[indexOfKey(key, groups) - groups.first] = version;
  }

  async #follow(watch: ReturnType<Table['watch']>): Promise<void> {
    try {
      for await (const { changes } of watch) this.#take(changes);
    } catch (error) {
      this.ended = error instanceof OmenError ? error.code : String(error);
      if (!ENDS.includes(this.ended)) this.#onFault(`the watch ended: ${error}`);
    }
  }

  #take(changes: readonly Change<number, Row>[]): void {
    const { seed, regions } = this.#layout;
    const { groups } = regions;
    const cohorts = new Map<number, number>();
    for (const change of changes) {
      // Of blocks: the log does not say of which range a load is.
      if (change.type === 'load') continue;
      this.#told++;
      if (change.type !== 'put' && change.type !== 'del') {
        this.#onFault(`the watch told of a ${change.type} that was none`);
        continue;
      }
      const index = indexOfKey(change.key, groups);
      const cohort = index - ((index - groups.first) % groups.cohort);
      cohorts.set(cohort, (cohorts.get(cohort) ?? 0) + 1);
      if (change.type === 'del') {
        this.#set(change.key, NOTHING);
        continue;
      }
      const row = change.value;
      if (!isSound(seed, index, row)) this.#onFault(`the watch told wrong bytes of key ${index}`);
      const before = this.#copy[index - groups.first];
      if (row.version <= before) {
        this.#onFault(`the watch told of version ${row.version} of key ${index}, after ${before}`);
      }
      this.#set(change.key, row.version);
    }
    for (const [cohort, count] of cohorts) {
      if (count % groups.cohort === 0) continue;
      this.#onFault(`the watch told of ${count} keys of the group at ${cohort}`);
    }
  }

  get told(): number {
    return this.#told;
  }

  /** Whether the copy is what was acknowledged. */
  isAt(oracle: Oracle): boolean {
    const { groups } = this.#layout.regions;
    return this.#copy.every((version, i) => {
      const word = oracle.acked[groups.first + i];
      return version === (kindOf(word) === ABSENT ? NOTHING : versionOf(word));
    });
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#over;
  }
}
