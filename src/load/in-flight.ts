/** What a bulk load has under way in other threads, of all its shards. */
export class InFlight {
  readonly #tasks = new Set<Promise<unknown>>();
  #failure: { readonly error: unknown } | null = null;

  add(task: Promise<unknown>): void {
    const done: Promise<unknown> = task.then(
      () => this.#tasks.delete(done),
      (error: unknown) => {
        this.#tasks.delete(done);
        this.#failure ??= { error };
      },
    );
    this.#tasks.add(done);
  }

  /** Waits until so few are under way that another may begin. @throws what the first that failed threw */
  async room(most: number): Promise<void> {
    while (this.#failure === null && this.#tasks.size > most) await Promise.race(this.#tasks);
    if (this.#failure !== null) throw this.#failure.error;
  }
}
