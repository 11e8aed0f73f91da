/** Processes of their own, for what one process cannot show of itself: its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { TaskName } from './child-tasks.ts';

const TASKS = fileURLToPath(new URL('./child-tasks.ts', import.meta.url));

export interface Child {
  readonly process: ChildProcess;
  /** The next line it says; rejects when it ends without one. */
  line(): Promise<string>;
  /** All lines that were not asked for by `line`, up to its end. */
  rest(): Promise<string[]>;
  kill(): void;
  /** Its exit code, or null when it was killed. */
  readonly ended: Promise<number | null>;
}

/** Starts a task of `child-tasks.ts`; what it writes to stderr is shown. */
export function startChild(t: ExecutionContext, task: TaskName, ...args: string[]): Child {
  const child = spawn(process.execPath, [TASKS, task, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    ended,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`The process ended (${await ended}) without a word.`);
      return value;
    },
    async rest() {
      const all: string[] = [];
      for (let next = await lines.next(); !next.done; next = await lines.next()) {
        all.push(next.value);
      }
      return all;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** Runs a task to its end. */
export async function runChild(t: ExecutionContext, task: TaskName, ...args: string[]) {
  const child = startChild(t, task, ...args);
  const lines = await child.rest();
  return { said: lines.join('\n'), code: await child.ended };
}
