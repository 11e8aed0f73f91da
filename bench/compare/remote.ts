/** A process with one engine, as the one that compares sees it. One request at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Command, Commands, Prepare } from './protocol.ts';

const PROGRAM = fileURLToPath(new URL('./child.ts', import.meta.url));
/** Rows with text keys are objects of V8 until they are loaded. */
const OPTIONS = [
  '--expose-gc',
  '--max-old-space-size=16384',
  '--disable-warning=ExperimentalWarning',
];

/** An engine answered wrongly, or failed: its figures are worth nothing. */
export class Disqualified extends Error {
  override readonly name = 'Disqualified';
}

export class Remote {
  readonly #child: ChildProcess;
  readonly #title: string;
  /** Tasks that its engine can do. */
  able: readonly string[] = [];

  private constructor(title: string) {
    this.#title = title;
    this.#child = fork(PROGRAM, {
      execArgv: OPTIONS,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  static async start(title: string, asks: Prepare, signal: AbortSignal): Promise<Remote> {
    const remote = new Remote(title);
    signal.addEventListener('abort', () => remote.#child.kill('SIGKILL'), { once: true });
    remote.able = await remote.ask('prepare', asks);
    return remote;
  }

  /** @throws Disqualified */
  async ask<C extends Command>(
    command: C,
    asks: Commands[C]['asks'],
  ): Promise<Commands[C]['gives']> {
    const over = new AbortController();
    try {
      const { signal } = over;
      const told = once(this.#child, 'message', { signal });
      const ended = once(this.#child, 'exit', { signal });
      this.#child.send({ command, asks });
      const [first] = (await Promise.race([told, ended])) as [Answer | number | null];
      if (typeof first !== 'object' || first === null) {
        throw new Disqualified(`${this.#title}: the process ended during "${command}".`);
      }
      if ('failed' in first) throw new Disqualified(`${this.#title}, ${command}: ${first.failed}`);
      return first.gives as Commands[C]['gives'];
    } finally {
      over.abort();
    }
  }

  /** Closes its database, and ends it. */
  async end(): Promise<void> {
    await this.ask('close', null);
    await this.kill();
  }

  /** As if the machine's out-of-memory killer had come by. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
