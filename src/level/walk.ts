/**
 * `for await` over an iterator of abstract-level: what its own async generator does, which costs more a
 * row than the row. The iterator is closed at the end, by `break`, and by an error.
 */

/** What is walked over. */
export interface Walked<Item> {
  /** The next item; undefined at the end. */
  next(): Promise<Item | undefined>;
  close(): Promise<void>;
}

export class Walk<Item> implements AsyncGenerator<Item, void, unknown> {
  readonly #iterator: Walked<Item>;
  #isOver = false;
  #isBusy = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(iterator: Walked<Item>) {
    this.#iterator = iterator;
  }

  next(): Promise<IteratorResult<Item, void>> {
    const step = this.#isBusy ? this.#last.then(this.#step, this.#step) : this.#step();
    this.#last = step;
    return step;
  }

  /** A step that is not awaited is waited for by the next one, as a generator's is. */
  readonly #step = async (): Promise<IteratorResult<Item, void>> => {
    if (this.#isOver) return { done: true, value: undefined };
    this.#isBusy = true;
    try {
      const value = await this.#iterator.next();
      if (value !== undefined) return { done: false, value };
    } catch (error) {
      await this.return();
      throw error;
    } finally {
      this.#isBusy = false;
    }
    return this.return();
  };

  async return(): Promise<IteratorResult<Item, void>> {
    this.#isOver = true;
    await this.#iterator.close();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<Item, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
