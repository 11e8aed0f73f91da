/**
 * Ours against the same look-ups in native code (`native.cc`): the same keys, the same probes, round
 * about in turns. What the language costs is the ratio to the quicker of two indexes there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../engine/report.ts';
import { freshLoops } from './contenders/loops.ts';
import type { Subject } from './subject.ts';

const SOURCE = fileURLToPath(new URL('native.cc', import.meta.url));
const CHUNK = 64 * 2 ** 20;
const INDEXES = ['cells', 'lines'] as const;
const WAYS = ['single', 'batch'] as const;

export interface NativeFigures {
  /** Nanoseconds a key, medians: ours. */
  readonly ours: Readonly<Record<(typeof WAYS)[number], number>>;
  /** Those of native code: our model, and lines under a radix table. */
  readonly cells: Readonly<Record<(typeof WAYS)[number], number>>;
  readonly lines: Readonly<Record<(typeof WAYS)[number], number>>;
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

/** @throws when a position found there is wrong */
export async function againstNative(
  subject: Subject,
  program: string,
  rounds: number,
): Promise<NativeFigures> {
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
  const ask = async (question: string): Promise<number> => {
    child.stdin.write(`${question}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`The native code failed at "${question}".`);
    return Number(value);
  };
  const ours = {
    single: (await freshLoops(subject))('random').oursAsking(),
    batch: (await freshLoops(subject))('random').oursInBatches(),
  };
  const expected = positions.reduce((sum, position) => sum + position, 0);
  const times = new Map<string, number[]>();
  const note = (name: string, ns: number) => times.set(name, [...(times.get(name) ?? []), ns]);
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const way of WAYS) {
      const begin = process.hrtime.bigint();
      const sum = ours[way](0, positions.length);
      const ns = Number(process.hrtime.bigint() - begin) / positions.length;
      if (sum !== expected) throw new Error(`Ours (${way}) finds wrong positions.`);
      if (round > 0) note(`ours ${way}`, ns);
    }
    for (const index of INDEXES) {
      for (const way of WAYS) {
        const answer = await ask(`${index} ${way}`);
        if (round > 0) note(`${index} ${way}`, answer);
      }
    }
  }
  child.stdin.end();
  await closed;
  rmSync(directory, { recursive: true });
  const of = (name: string): number => median(times.get(name) ?? []);
  return {
    ours: { single: of('ours single'), batch: of('ours batch') },
    cells: { single: of('cells single'), batch: of('cells batch') },
    lines: { single: of('lines single'), batch: of('lines batch') },
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
