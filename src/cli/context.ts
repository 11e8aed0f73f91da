/** What a command has of the process that it runs in: tests give it others. */
export interface Context {
  /** Bytes of the standard input. Asked only where a command reads it. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Results, which may be read by a program. */
  readonly stdout: Output;
  /** The same for results that are bytes. Asked only where a command writes some. */
  readonly binary: () => NodeJS.WritableStream;
  /** Messages and progress, for people. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the process is to end; its reason is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Milliseconds from some beginning on. */
  readonly now: () => number;
}

export interface Output {
  write(text: string): unknown;
  /** Whether it is a terminal, and how many columns that has. */
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A signal of the operating system that ends the process. */
export class Interruption extends Error {
  /** As a shell has it: 128 and the number of the signal. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

/** Whether colours may be used: on a terminal, unless NO_COLOR is set (no-color.org). */
export function hasColors(output: Output, env: Context['env']): boolean {
  return output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
