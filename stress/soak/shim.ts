/**
 * Faults below the engine: loaded before everything else into every thread of the process under soak
 * (`--import`), it stands in front of the system calls that `src/storage/real.ts` makes, and of the
 * clock. So the real storage is what is tested, short writes included. It touches files of databases
 * alone, those below the directory in the environment's OMENDB_SOAK_DATA.
 *
 * What is to fail stands in words of shared memory, which all threads of the process get as environment
 * data; the main thread writes them (`Faults`).
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const NAME = 'omendb-soak-faults';

/** Words: what is to happen, and how often it did. */
export const WORDS = {
  /** So many syncs of logs fail with EIO. */
  syncFailures: 0,
  /** Each sync of a log takes so many milliseconds longer. */
  syncDelayMs: 1,
  /** Writes of more than one byte write a part, and say so. */
  shortWrites: 2,
  /** Reads fail with EIO, the first so many excepted; 0: none does. */
  readFailures: 3,
  /** The disk has no room but for what is below, in bytes, and what is removed. */
  full: 4,
  roomBytes: 5,
  /** Whether the clock is being set, for who compares two readings: raised before and after. */
  clockSets: 6,
  /** Raised to have every thread collect its garbage. */
  collections: 7,
  /** How often each came to pass. */
  injected: 8,
} as const;
const CLOCK_AT = 16;
const LATEST_AT = 17;
const BYTES = 256;

export const FAULT_KINDS = ['sync', 'delay', 'short', 'read', 'full'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

function sharedWords(): SharedArrayBuffer {
  const given = getEnvironmentData(NAME);
  if (given instanceof SharedArrayBuffer) return given;
  const memory = new SharedArrayBuffer(BYTES);
  setEnvironmentData(NAME, memory);
  return memory;
}

const memory = sharedWords();
export const words = new Int32Array(memory);
const floats = new Float64Array(memory);

function count(kind: FaultKind): void {
  Atomics.add(words, WORDS.injected + FAULT_KINDS.indexOf(kind), 1);
}

export function injected(kind: FaultKind): number {
  return Atomics.load(words, WORDS.injected + FAULT_KINDS.indexOf(kind));
}

const systemNow = Date.now;

/** Sets the clock of the whole process, so many milliseconds from the system's. */
export function setClock(offsetMs: number): void {
  Atomics.add(words, WORDS.clockSets, 1);
  floats[LATEST_AT] = latestMs();
  floats[CLOCK_AT] = offsetMs;
  Atomics.add(words, WORDS.clockSets, 1);
}

/** The latest that the clock ever was. */
export function latestMs(): number {
  return Math.max(floats[LATEST_AT], Date.now());
}

export function rememberLatest(ms: number): void {
  floats[LATEST_AT] = Math.max(floats[LATEST_AT], ms);
}

/** That of this thread, once for each time that it is asked for. */
let collected = 0;

function collectWhereAsked(): void {
  const asked = Atomics.load(words, WORDS.collections);
  if (asked === collected) return;
  collected = asked;
  globalThis.gc?.();
}

/** So often a thread looks whether it is to. */
const COLLECT_MS = 200;

/** Has every thread collect its garbage: what is shared is given back when none has it any more. */
export function collectEverywhere(): void {
  Atomics.add(words, WORDS.collections, 1);
}

class SystemError extends Error {
  readonly code: string;
  readonly syscall: string;

  constructor(code: string, syscall: string) {
    super(`${code}: injected, ${syscall}`);
    this.code = code;
    this.syscall = syscall;
  }
}

interface OpenFile {
  readonly isLog: boolean;
  bytes: number;
}

/** Files of databases that this thread has open: descriptors belong to the thread that opened them. */
const open = new Map<number, OpenFile>();
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Whether so many bytes find room on a disk that has no more than it has. */
function takeRoom(bytes: number): number {
  for (;;) {
    const room = Atomics.load(words, WORDS.roomBytes);
    const taken = Math.min(room, bytes);
    if (Atomics.compareExchange(words, WORDS.roomBytes, room, room - taken) === room) return taken;
  }
}

function giveRoom(path: string): void {
  if (Atomics.load(words, WORDS.full) === 0) return;
  const { size } = real.statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  Atomics.add(words, WORDS.roomBytes, Math.min(size, 2 ** 24));
}

const real = { ...fs };

function install(root: string): void {
  const isOurs = (path: unknown): path is string =>
    typeof path === 'string' && path.startsWith(root);

  fs.openSync = (path, flags, mode) => {
    const descriptor = real.openSync(path, flags, mode);
    if (isOurs(path)) {
      const { size } = real.fstatSync(descriptor);
      open.set(descriptor, { isLog: basename(path).startsWith('wal-'), bytes: size });
    }
    return descriptor;
  };
  fs.closeSync = (descriptor) => {
    collectWhereAsked();
    open.delete(descriptor);
    real.closeSync(descriptor);
  };
  fs.unlinkSync = (path) => {
    if (isOurs(path)) giveRoom(path);
    real.unlinkSync(path);
  };
  fs.ftruncateSync = (descriptor, bytes) => {
    const file = open.get(descriptor);
    if (file !== undefined) file.bytes = bytes ?? 0;
    real.ftruncateSync(descriptor, bytes);
  };
  fs.fdatasyncSync = (descriptor) => {
    failSync(open.get(descriptor));
    real.fdatasyncSync(descriptor);
  };
  fs.readSync = ((descriptor: number, ...rest: unknown[]) => {
    if (open.has(descriptor)) failRead();
    return (real.readSync as (...all: unknown[]) => number)(descriptor, ...rest);
  }) as typeof fs.readSync;
  // The engine gives five arguments, always: bytes, offset, length, position.
  fs.writeSync = ((
    descriptor: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    at: number,
  ) => {
    const file = open.get(descriptor);
    const allowed = file === undefined ? length : allowedLength(file, length, at);
    const written = real.writeSync(descriptor, bytes, offset, allowed, at);
    if (file !== undefined) file.bytes = Math.max(file.bytes, at + written);
    return written;
  }) as typeof fs.writeSync;
  syncBuiltinESMExports();
}

function failSync(file: OpenFile | undefined): void {
  if (!file?.isLog) return;
  const delay = Atomics.load(words, WORDS.syncDelayMs);
  if (delay > 0) {
    count('delay');
    Atomics.wait(pause, 0, 0, delay);
  }
  if (Atomics.load(words, WORDS.syncFailures) <= 0) return;
  if (Atomics.sub(words, WORDS.syncFailures, 1) <= 0) return;
  count('sync');
  throw new SystemError('EIO', 'fdatasync');
}

function failRead(): void {
  if (Atomics.load(words, WORDS.readFailures) <= 0) return;
  if (Atomics.sub(words, WORDS.readFailures, 1) > 1) return;
  Atomics.store(words, WORDS.readFailures, 1);
  count('read');
  throw new SystemError('EIO', 'read');
}

/**
 * How much of a write is made. A full disk has room for what is overwritten; of the rest it takes what
 * fits, and says no at the next call.
 */
function allowedLength(file: OpenFile, length: number, at: number): number {
  let allowed = length;
  if (Atomics.load(words, WORDS.shortWrites) !== 0 && length > 1) {
    count('short');
    allowed = 1 + ((length * 7) >>> 4);
  }
  if (Atomics.load(words, WORDS.full) === 0) return allowed;
  const inside = Math.max(0, Math.min(allowed, file.bytes - at));
  const room = inside === allowed ? allowed : inside + takeRoom(allowed - inside);
  if (room > 0) return room;
  count('full');
  throw new SystemError('ENOSPC', 'write');
}

const root = process.env.OMENDB_SOAK_DATA;
if (root !== undefined) {
  install(root);
  Date.now = () => systemNow() + floats[CLOCK_AT];
  if (isMainThread) rememberLatest(systemNow());
  setInterval(collectWhereAsked, COLLECT_MS).unref();
}
