/**
 * One engine with one set of rows, in a process of its own: the engine, and what its rows must be. The numbers
 * of rows and their versions are known here, so an answer is judged at once, engine by engine.
 */
import { mkdirSync } from 'node:fs';
import type { Engine, EngineKind, Sum } from './engine.ts';
import {
  amountIn,
  amountOf,
  type Key,
  type KeyKind,
  keyOf,
  numbersInOrder,
  type Order,
  rowsToLoad,
} from './rows.ts';
import type { Model } from './ycsb.ts';
import { Zipf } from './zipf.ts';

/** Rows that inserts may add. */
const INSERTS_MAX = 200_000;
const SAMPLES = 1000;

export class Session {
  readonly kind: KeyKind;
  readonly model: Model;
  readonly directory: string;
  readonly #engineKind: EngineKind;
  #engine: Engine | null = null;
  #isDurable = false;
  #sorted: Uint32Array | null = null;
  #zipf: Zipf | null = null;

  constructor(engineKind: EngineKind, kind: KeyKind, rows: number, directory: string) {
    this.#engineKind = engineKind;
    this.kind = kind;
    this.directory = directory;
    this.model = { count: rows, versions: new Uint16Array(rows + INSERTS_MAX) };
  }

  /** The engine, opened anew where writes have to be durable and were not, or the other way. */
  async engine(durable: boolean): Promise<Engine> {
    if (this.#engine !== null && (this.#isDurable === durable || this.#engineKind.inMemory)) {
      return this.#engine;
    }
    await this.close();
    mkdirSync(this.directory, { recursive: true });
    const { kind, directory, model } = this;
    this.#engine = await this.#engineKind.open({ directory, kind, rows: model.count, durable });
    this.#isDurable = durable;
    return this.#engine;
  }

  /** The engine as it was opened last. */
  current(): Promise<Engine> {
    return this.engine(this.#isDurable);
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    this.#engine = null;
  }

  /** Nanoseconds a row, of what an open engine takes until all rows are on disk. */
  async load(order: Order): Promise<number> {
    const { count } = this.model;
    const rows = rowsToLoad(this.kind, count, order);
    const engine = await this.engine(true);
    const start = performance.now();
    await engine.load(rows);
    return ((performance.now() - start) * 1e6) / count;
  }

  /** @throws unless rows of all over the set are there, or, where no single one can be asked for, all are */
  async verifySample(): Promise<void> {
    const engine = await this.current();
    if (engine.get === undefined) return this.verifyContents();
    const { count, versions } = this.model;
    for (let i = 0; i < count; i += Math.ceil(count / SAMPLES)) {
      const value = engine.get(keyOf(this.kind, i));
      const amount = value === undefined ? undefined : amountIn(value);
      if (amount !== amountOf(i, versions[i])) {
        throw new Error(`The row of ${keyOf(this.kind, i)} is ${JSON.stringify(value)}.`);
      }
    }
  }

  /** @throws unless all rows are there, in their last version */
  async verifyContents(): Promise<void> {
    const { rows, sum } = await (await this.current()).walk();
    const wanted = this.expected(this.sortedNumbers());
    if (rows !== wanted.rows || sum !== wanted.sum) {
      throw new Error(
        `There are ${rows} rows with a sum of ${sum}; there must be ${wanted.rows} with ${wanted.sum}.`,
      );
    }
  }

  /** What a read of some rows has to come to. */
  expected(numbers: Iterable<number>): Sum {
    const { versions } = this.model;
    let [rows, sum] = [0, 0];
    for (const number of numbers) {
      sum += amountOf(number, versions[number]);
      rows++;
    }
    return { rows, sum };
  }

  /** Numbers of all rows by their keys. Inserts make them be sorted anew. */
  sortedNumbers(): Uint32Array {
    const { count } = this.model;
    if (this.#sorted?.length !== count) this.#sorted = numbersInOrder(this.kind, count, 'sorted');
    return this.#sorted;
  }

  keyOf(number: number): Key {
    return keyOf(this.kind, number);
  }

  /** Adding up the series anew for each task would take seconds at 50 M rows. */
  zipf(): Zipf {
    this.#zipf ??= new Zipf(this.model.count);
    return this.#zipf;
  }
}
