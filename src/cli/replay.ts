/**
 * A stream that is looked at before it is read: what was taken of it at first is given again, and then the
 * rest. It is looked at once, and read once.
 */
export class Replay implements AsyncIterable<Uint8Array> {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #taken: Uint8Array[] = [];
  #isOver = false;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** For who looks at the beginning, and may stop anywhere. */
  async *beginning(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.#next();
      if (piece === null) return;
      this.#taken.push(piece);
      yield piece;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#taken.splice(0);
    for (;;) {
      const piece = await this.#next();
      if (piece === null) return;
      yield piece;
    }
  }

  async #next(): Promise<Uint8Array | null> {
    if (this.#isOver) return null;
    const step = await this.#iterator.next();
    this.#isOver = step.done === true;
    return step.done === true ? null : step.value;
  }
}
