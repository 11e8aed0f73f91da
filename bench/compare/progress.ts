/** How far a run is, on stderr: what is being done, how much of it all is done, and what time is left. */

const LINE_MS = 10_000;

export class Progress {
  readonly #total: number;
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  readonly #start: number;
  readonly #isTerminal: boolean;
  #done = 0;
  #under = 0;
  #told = Number.NEGATIVE_INFINITY;

  /** `total` is the sum of all weights. On a terminal one line is written over, elsewhere one comes every ten seconds. */
  constructor(
    total: number,
    say: (line: string) => void,
    isTerminal: boolean,
    now = () => performance.now(),
  ) {
    this.#total = total;
    this.#say = say;
    this.#isTerminal = isTerminal;
    this.#now = now;
    this.#start = now();
  }

  /** A step begins, and with it the one before is done. */
  step(what: string, weight: number): void {
    this.#done += this.#under;
    this.#under = weight;
    const now = this.#now();
    if (!this.#isTerminal && now - this.#told < LINE_MS) return;
    this.#told = now;
    const share = Math.min(1, this.#done / this.#total);
    const line = `${String(Math.floor(100 * share)).padStart(3)} %  ${this.#left(share, now)}  ${what}`;
    this.#say(this.#isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
  }

  end(): void {
    if (this.#isTerminal) this.#say('\r\x1b[K');
  }

  #left(share: number, now: number): string {
    if (share < 0.02) return '        ';
    const seconds = ((now - this.#start) / 1000 / share) * (1 - share);
    const minutes = Math.floor(seconds / 60);
    return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, '0')} left`;
  }
}
