/** Commands in this process, with outputs that are kept. */
import { Writable } from 'node:stream';
import { run } from '../../src/cli/program.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface World {
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** Columns of the terminal that stderr is; without, it is none. */
  readonly columns?: number;
  /** Is told of everything that is written to stderr. */
  readonly onError?: (text: string) => void;
}

export async function omendb(argv: readonly string[], world: World = {}): Promise<Ran> {
  const { columns, signal = new AbortController().signal, env = {}, onError } = world;
  let [out, err] = ['', ''];
  // As of the process itself, which nobody ends.
  const binary = Object.assign(
    new Writable({
      write(piece, _, done) {
        out += piece.toString('latin1');
        done();
      },
    }),
    { fd: 1 },
  );
  const code = await run(argv, {
    stdin: () => world.stdin ?? nothing(),
    stdout: { write: (text) => (out += text) },
    binary: () => binary,
    stderr: {
      write: (text) => {
        err += text;
        onError?.(text);
      },
      isTTY: columns !== undefined,
      columns,
    },
    env,
    signal,
    now: () => performance.now(),
  });
  return { code, out, err };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
