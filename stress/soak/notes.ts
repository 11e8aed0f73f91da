/**
 * What the oracle knows, on disk: beside the database, in files that outlive both processes. A *base*
 * has the words of all keys at one moment when nothing was under way; the *notes* of each lane have what
 * was issued, acknowledged and taken back since, in order. A new base begins new notes, so they stay as
 * long as what happens between two.
 *
 * Notes are written by plain writes, which a process that is killed has made: issued before the engine
 * hears of a write, acknowledged after it answered. They are not synced, since it is the database that
 * has to survive a power cut, not its judge.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Oracle } from './oracle.ts';

export const ISSUED = 1;
export const ACKNOWLEDGED = 2;
export const REFUSED = 3;

const NOTE_WORDS = 3;
const NOTES_MAX = 8192;

export class Notes {
  readonly #file: number;
  readonly #words = new Uint32Array(NOTE_WORDS * NOTES_MAX);
  #count = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  add(what: number, index: number, word: number): void {
    const at = NOTE_WORDS * this.#count;
    this.#words[at] = what;
    this.#words[at + 1] = index;
    this.#words[at + 2] = word;
    if (++this.#count === NOTES_MAX) this.flush();
  }

  flush(): void {
    if (this.#count === 0) return;
    const bytes = new Uint8Array(this.#words.buffer, 0, 4 * NOTE_WORDS * this.#count);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
    this.#count = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

/** What a base says besides the words. */
export interface BaseHead {
  readonly generation: number;
  /** The latest that the clock ever was, in ms since 1970. */
  readonly latestMs: number;
}

const HEAD_BYTES = 256;

function baseName(generation: number): string {
  return `base-${String(generation).padStart(8, '0')}`;
}

export function notesPath(directory: string, generation: number, lane: number): string {
  return join(directory, `notes-${String(generation).padStart(8, '0')}-${lane}`);
}

function arraysOf({ acked, issued, until }: Oracle): Uint8Array[] {
  return [acked, issued, until].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
}

/** Writes the base of the next generation, and removes what it makes needless. */
export function writeBase(directory: string, oracle: Oracle, head: BaseHead): void {
  const path = join(directory, baseName(head.generation));
  const file = openSync(`${path}.tmp`, 'w');
  try {
    writeWhole(file, Buffer.from(JSON.stringify(head).padEnd(HEAD_BYTES)));
    for (const bytes of arraysOf(oracle)) writeWhole(file, bytes);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.tmp`, path);
  for (const name of readdirSync(directory)) {
    const [, generation] = /^(?:base|notes)-(\d{8})/.exec(name) ?? [];
    if (generation !== undefined && Number(generation) < head.generation) {
      rmSync(join(directory, name));
    }
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, Math.min(2 ** 26, bytes.length - done));
  }
}

/** Fills the oracle with what is on disk: the newest base and all notes since. Null: there is none. */
export function readBase(directory: string, oracle: Oracle, lanes: number): BaseHead | null {
  const bases = readdirSync(directory).filter((name) => /^base-\d{8}$/.test(name));
  const newest = bases.sort().at(-1);
  if (newest === undefined) return null;
  const file = openSync(join(directory, newest), 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    readWhole(file, head);
    for (const bytes of arraysOf(oracle)) readWhole(file, bytes);
    const base = JSON.parse(head.toString()) as BaseHead;
    for (let lane = 0; lane < lanes; lane++) {
      replay(notesPath(directory, base.generation, lane), oracle);
    }
    return base;
  } finally {
    closeSync(file);
  }
}

function readWhole(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, Math.min(2 ** 26, bytes.length - done), null);
    if (count === 0) throw new Error('A base of the oracle ends too early.');
    done += count;
  }
}

/** The last note may be cut: its write had not ended, so whatever it says had not begun. */
function replay(path: string, oracle: Oracle): void {
  if (!existsSync(path)) return;
  const bytes = readFileSync(path);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  const { acked, issued } = oracle;
  for (let at = 0; at + NOTE_WORDS <= words.length; at += NOTE_WORDS) {
    const index = words[at + 1];
    if (words[at] === ISSUED) {
      issued[index] = words[at + 2];
      // When it expires is in its row alone.
      oracle.forgetUntil(index);
    } else if (words[at] === ACKNOWLEDGED) acked[index] = words[at + 2];
    else issued[index] = acked[index];
  }
}
