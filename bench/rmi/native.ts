/**
 * The same look-ups in native code (`native.cc`), in a process of its own that is told when it is its
 * turn.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Subject } from './subject.ts';

const SOURCE = fileURLToPath(new URL('native.cc', import.meta.url));
const CHUNK = 64 * 2 ** 20;

/** Our model there, and one of its own: lines under a radix table. */
export const INDEXES = ['cells', 'lines'] as const;

export interface Native {
  /**
   * The nanoseconds a key of the median slice of the wanted keys [from, to).
   * @throws when an answer found there is wrong
   */
  ask(
    index: (typeof INDEXES)[number],
    way: 'single' | 'batch' | 'values',
    from: number,
    to: number,
  ): Promise<number>;
  close(): Promise<void>;
}

/** Compiles it into a directory. Returns the program, or null where there is no compiler. */
export function compileNative(directory: string): string | null {
  const program = join(directory, 'native');
  const flags = ['-O3', '-march=native', '-std=c++17', '-o', program, SOURCE];
  const { error, status, stderr } = spawnSync('g++', flags, { encoding: 'utf8' });
  if (error !== undefined) return null;
  if (status !== 0) throw new Error(`g++ refuses native.cc:\n${stderr}`);
  return program;
}

export function startNative(subject: Subject, program: string): Native {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-native-'));
  const { form, set, model, wanted, positions } = subject;
  const files = [set.keys.subarray(0), model.nodes, model.cells, wanted, positions].map(
    (data, i) => {
      const path = join(directory, String(i));
      writeArray(path, data);
      return path;
    },
  );
  const child = spawn(program, [form === 'f64' ? 'f64' : 'u64', ...files], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  child.stdin.on('error', () => {}); // it ended: there will be no answer, which tells
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async ask(...question) {
      child.stdin.write(`${question.join(' ')}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`The native code failed at "${question.join(' ')}".`);
      return Number(value);
    },
    async close() {
      child.stdin.end();
      await closed;
      rmSync(directory, { recursive: true });
    },
  };
}

function writeArray(path: string, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
  const file = openSync(path, 'w');
  for (let at = 0; at < byteLength; ) {
    const chunk = new Uint8Array(buffer, byteOffset + at, Math.min(CHUNK, byteLength - at));
    at += writeSync(file, chunk);
  }
  closeSync(file);
}
