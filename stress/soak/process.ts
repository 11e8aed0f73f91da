/** The process under soak, from outside: started, asked, listened to, killed. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Command, HolderOptions, Opened, Sample, Word } from './holder.ts';

export interface Ears {
  onSample(sample: Sample): void;
  onFault(what: string): void;
}

/** Compiled code, kept: a process that is killed again and again starts sooner. */
const COMPILE_CACHE = join(tmpdir(), 'omendb-stress-compile-cache');

/**
 * The C library's allocator keeps what threads that came and went have freed, which grows with every
 * one for long, and hides what a program itself does not let go of. So told, it gives it back.
 */
const ALLOCATOR = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/**
 * Young generations breathe, those of all threads together by a hundred megabytes from one look to the next. Of
 * one size, and a small one, they hide less. Code that is collected and compiled again is some megabytes.
 */
const YOUNG_MB = 4;
const STEADY = [
  `--min-semi-space-size=${YOUNG_MB}`,
  `--max-semi-space-size=${YOUNG_MB}`,
  '--no-flush-bytecode',
];

export class HolderProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  readonly #ears: Ears;
  readonly #gone: Promise<void>;
  #asked = 0;
  /** Set where its end is wanted: any other is a fault. */
  #isEnding = false;
  /** What it found when it had opened the databases; null: it ended before. */
  readonly opened: Promise<Opened | null>;

  constructor(options: HolderOptions, ears: Ears) {
    this.#ears = ears;
    const shim = new URL('./shim.ts', import.meta.url).href;
    this.#child = fork(join(import.meta.dirname, 'holder.ts'), [JSON.stringify(options)], {
      detached: true,
      serialization: 'advanced',
      execArgv: ['--import', shim, '--expose-gc', ...STEADY],
      env: {
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        ...ALLOCATOR,
        ...process.env,
        OMENDB_SOAK_DATA: join(options.directory, 'data'),
      },
    });
    this.#child.on('message', (word: Word) => this.#hear(word));
    // What is sent to one that was killed comes to nothing; that it ended is told by its exit.
    this.#child.on('error', () => {});
    this.#gone = once(this.#child, 'exit').then(([code, signal]) => this.#ended(code ?? signal));
    this.opened = this.#answerTo(0) as Promise<Opened | null>;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  #hear(word: Word): void {
    if ('sample' in word) this.#ears.onSample(word.sample);
    else if ('fault' in word) this.#ears.onFault(word.fault);
    else {
      this.#waiting.get(word.id)?.(word.answer);
      this.#waiting.delete(word.id);
    }
  }

  #ended(how: unknown): void {
    if (!this.#isEnding) this.#ears.onFault(`the process ended by itself: ${how}`);
    for (const answer of this.#waiting.values()) answer(null);
  }

  #answerTo(id: number): Promise<unknown> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** The answer; null where it failed, ended, or took too long, which is a fault. */
  async ask<T>(command: Command, withinMs = 120_000): Promise<T | null> {
    const id = ++this.#asked;
    const answer = this.#answerTo(id) as Promise<T | null>;
    if (!this.#child.connected) return null;
    this.#child.send({ id, command });
    const late = new AbortController();
    const tooLate = setTimeout(withinMs, 'late' as const, { signal: late.signal });
    const first = await Promise.race([answer, tooLate]);
    late.abort();
    tooLate.catch(() => {});
    if (first !== 'late') return first;
    this.#ears.onFault(`it hangs: no answer to "${command.do}" in ${withinMs / 1000} s`);
    return null;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.ask({ do: 'end' });
    await this.#gone;
  }
}
