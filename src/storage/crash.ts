/**
 * A storage in memory that fails on request: the process killed before, in the middle of or after
 * any operation, the power cut, a system error once or from then on. For tests; the engine never
 * makes one.
 *
 * - Operations are numbered from 0, in the order of `log`. The same calls and seed give the same
 *   run.
 * - A kill throws a CrashError, which is no OmenError, and so does every call after it, except
 *   close(): a dead process touches nothing. What it leaves behind is asked for by restart() (the
 *   process died, the machine lives: the page cache is intact) or crash() (the power was cut).
 * - What a power cut may leave is the business of model-disk.ts and model-file.ts.
 * - size(), modifiedMs(), exists(), freeBytes() and close() change nothing and ask no disk: they are
 *   not numbered.
 */

import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { noShortage, systemError } from '../errors.ts';
import { ModelDirectory } from './model-disk.ts';
import { type CutPolicy, ModelFile, type Random, seededRandom } from './model-file.ts';
import type { OpenMode, Storage, StorageFile } from './storage.ts';

/** The process was killed. Nothing but a test may catch it. */
export class CrashError extends Error {
  override readonly name = 'CrashError';
}

export type OperationKind =
  | 'create'
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'datasync'
  | 'truncate'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory';

/** One entry of the log. `bytes` of a read or write, else 0. */
export interface Operation {
  readonly kind: OperationKind;
  readonly path: string;
  readonly bytes: number;
}

/**
 * What goes wrong at an operation. A torn write has written some bytes of its beginning; any other
 * torn operation has done nothing yet. An error does likewise, and a sync that fails loses what it
 * was to make durable. `lasting`: all operations of the same sort (reading, or changing) fail from
 * then on. An error that the operation cannot have (ENOSPC at a read) happens at the next that can:
 * one of those that take space, or open something.
 * `lie`: the next sync says that it succeeded and did nothing, once or from then on, as a disk does
 * that keeps its cache to itself. No engine can keep its promises over one; this is for seeing what it
 * makes of the ruins.
 */
export type Fault =
  | { readonly kill: 'before' | 'torn' | 'after' }
  | { readonly error: string; readonly lasting: boolean }
  | { readonly lie: 'once' | 'lasting' };

/** Space on the disk: bytes of files, and how many of them. */
export interface Room {
  readonly bytes: number;
  readonly files: number;
}

const READING: readonly OperationKind[] = ['open', 'read', 'list'];
/** Operations that take space. */
const ALLOCATING: readonly OperationKind[] = [
  'create',
  'write',
  'truncate',
  'makeDirectory',
  'rename',
];
/** Operations that take a descriptor. */
const OPENING: readonly OperationKind[] = ['create', 'open', 'list', 'syncDirectory'];
/** The operations that can have an error, where not all can. */
const ONLY_AT: Readonly<Record<string, readonly OperationKind[]>> = {
  ENOSPC: ALLOCATING,
  EDQUOT: ALLOCATING,
  EFBIG: ALLOCATING,
  EMFILE: OPENING,
  ENFILE: OPENING,
};
const POLICIES: readonly CutPolicy[] = ['nothing', 'everything', 'prefix', 'any', 'garbled'];

export class CrashStorage implements Storage {
  readonly log: Operation[] = [];
  readonly #random: Random;
  #root = new ModelDirectory();
  #fault: { at: number; fault: Fault; reading: boolean | null } | undefined;
  #room: Room | undefined;
  #dead = false;
  #hasLied = false;
  /** How many operations have ended in an error. */
  errors = 0;

  /** An empty disk. The seed decides where torn writes are torn. */
  constructor(seed = 1) {
    this.#random = seededRandom(seed);
  }

  /** Number of operations so far, which is the number of the next. */
  get operations(): number {
    return this.log.length;
  }

  /** Whether a sync that did nothing was said to have succeeded. */
  get hasLied(): boolean {
    return this.#hasLied;
  }

  /** Lets operation number `operation` fail. One fault at a time: a later call replaces it. */
  failAt(operation: number, fault: Fault): void {
    this.#fault = { at: operation, fault, reading: null };
  }

  /** How much more the disk holds than now; undefined: as much as one likes. */
  setRoom(more: Room | undefined): void {
    const used = usedBy(this.#root);
    this.#room = more && { bytes: used.bytes + more.bytes, files: used.files + more.files };
  }

  /**
   * The storage as a new process finds it: the same page cache, nothing more synced than before.
   */
  restart(seed = 1): CrashStorage {
    const storage = new CrashStorage(seed);
    storage.#root = this.#root.clone();
    return storage;
  }

  /** The storage as it may be after a power cut now; another seed, another legal outcome. */
  crash(seed: number): CrashStorage {
    const random = seededRandom(seed);
    const pick = () => POLICIES[Math.floor(random() * POLICIES.length)];
    const storage = new CrashStorage(seed);
    storage.#root = this.#root.afterPowerCut(pick(), pick(), random);
    return storage;
  }

  open(path: string, mode: OpenMode): StorageFile {
    if (mode === 'create-new') {
      return this.#perform('create', path, 0, () => {
        const directory = this.#directory(split(path).parent);
        if (directory.entries.has(split(path).name)) throw errno('EEXIST');
        if (this.#free().files < 1) throw errno('ENOSPC');
        const node = new ModelFile();
        directory.add(split(path).name, node);
        return this.#handle(path, node, true);
      });
    }
    return this.#perform('open', path, 0, () => {
      const node = this.#directory(split(path).parent).entries.get(split(path).name);
      if (node === undefined) throw errno('ENOENT');
      if (!(node instanceof ModelFile)) throw errno('EISDIR');
      return this.#handle(path, node, mode === 'read-write');
    });
  }

  exists(path: string): boolean {
    this.#refuseWhenDead();
    if (path === split(path).parent) return true;
    try {
      return this.#directory(split(path).parent).entries.has(split(path).name);
    } catch {
      return false;
    }
  }

  list(directory: string): string[] {
    return this.#perform('list', directory, 0, () =>
      [...this.#directory(directory).entries.keys()].sort(),
    );
  }

  makeDirectory(path: string): void {
    this.#perform('makeDirectory', path, 0, () => {
      const parent = this.#directory(split(path).parent);
      const node = parent.entries.get(split(path).name);
      if (node instanceof ModelFile) throw errno('EEXIST');
      if (node === undefined) parent.add(split(path).name, new ModelDirectory());
    });
  }

  rename(from: string, to: string): void {
    assert(split(from).parent === split(to).parent, 'the model renames within one directory only');
    this.#perform('rename', from, 0, () => {
      const directory = this.#directory(split(from).parent);
      if (!directory.entries.has(split(from).name)) throw errno('ENOENT');
      directory.rename(split(from).name, split(to).name);
    });
  }

  remove(path: string): void {
    this.#perform('remove', path, 0, () => {
      const directory = this.#directory(split(path).parent);
      const node = directory.entries.get(split(path).name);
      if (node === undefined) throw errno('ENOENT');
      if (!(node instanceof ModelFile)) throw errno('EISDIR');
      directory.remove(split(path).name);
    });
  }

  syncDirectory(path: string): void {
    this.#performSync(
      'syncDirectory',
      path,
      () => this.#directory(path).sync(),
      () => this.#directory(path).lose(),
    );
  }

  freeBytes(): number {
    this.#refuseWhenDead();
    return this.#free().bytes;
  }

  #free(): Room {
    if (this.#room === undefined) return { bytes: 2 ** 40, files: 2 ** 20 };
    const used = usedBy(this.#root);
    const { bytes, files } = this.#room;
    return { bytes: Math.max(0, bytes - used.bytes), files: Math.max(0, files - used.files) };
  }

  /** Writes what there is room for; where that is not all of it, the rest fails. */
  #allocate(node: ModelFile, source: Uint8Array, position: number): void {
    const end = Math.min(position + source.byteLength, node.size + this.#free().bytes);
    const fitting = Math.max(0, end - position);
    node.write(source.subarray(0, fitting), position);
    if (fitting < source.byteLength) throw errno('ENOSPC');
  }

  #handle(path: string, node: ModelFile, writable: boolean): StorageFile {
    let open = true;
    const check = (right: boolean) => assert(open && right, `${path} is open for this`);
    const sync = (kind: OperationKind) => {
      check(true);
      this.#performSync(
        kind,
        path,
        () => node.sync(),
        () => node.lose(),
      );
    };
    return {
      size: () => {
        this.#refuseWhenDead();
        return node.size;
      },
      modifiedMs: () => {
        this.#refuseWhenDead();
        return node.changes;
      },
      read: (target, position) => {
        check(true);
        return this.#perform('read', path, target.byteLength, () => node.read(target, position));
      },
      write: (source, position) => {
        check(writable);
        const run = () =>
          this.#room === undefined
            ? node.write(source, position)
            : this.#allocate(node, source, position);
        const tear = () => {
          node.write(source.subarray(0, this.#random() * source.byteLength), position);
        };
        this.#perform('write', path, source.byteLength, run, tear);
      },
      truncate: (bytes) => {
        check(writable);
        this.#perform('truncate', path, 0, () => node.truncate(bytes));
      },
      sync: () => sync('sync'),
      datasync: () => sync('datasync'),
      close: () => {
        open = false;
      },
    };
  }

  #directory(path: string): ModelDirectory {
    if (path === split(path).parent) return this.#root;
    const node = this.#directory(split(path).parent).entries.get(split(path).name);
    if (node === undefined) throw errno('ENOENT');
    if (node instanceof ModelFile) throw errno('ENOTDIR');
    return node;
  }

  /** One sync, which may lie; `lose` is what one that fails does. */
  #performSync(kind: OperationKind, path: string, sync: () => void, lose: () => void): void {
    const run = () => {
      if (!this.#lies()) sync();
    };
    this.#perform(kind, path, 0, run, (killed) => killed || lose());
  }

  /** Whether the sync under way, the last of the log, is to do nothing. */
  #lies(): boolean {
    const set = this.#fault;
    if (set === undefined || !('lie' in set.fault) || this.log.length <= set.at) return false;
    if (set.fault.lie === 'once') this.#fault = undefined;
    this.#hasLied = true;
    return true;
  }

  /**
   * Runs one operation, or its fault: `fail` does what it does in part, told whether the process
   * dies of it.
   */
  #perform<T>(
    kind: OperationKind,
    path: string,
    bytes: number,
    run: () => T,
    fail?: (killed: boolean) => void,
  ): T {
    this.#refuseWhenDead();
    const number = this.log.push({ kind, path, bytes }) - 1;
    const fault = this.#faultAt(number, kind);
    try {
      if (fault === undefined) return run();
      if ('error' in fault) {
        // Where there was no descriptor nothing was begun.
        if (ONLY_AT[fault.error] !== OPENING) fail?.(false);
        this.errors++;
        throw errno(fault.error);
      }
      if (fault.kill === 'torn') fail?.(true);
      if (fault.kill === 'after') run();
    } catch (error) {
      throw coded(error, kind, path);
    }
    this.#dead = true;
    throw new CrashError(`killed ${fault.kill} operation ${number}: ${kind} ${path}`);
  }

  #faultAt(number: number, kind: OperationKind): Exclude<Fault, { lie: string }> | undefined {
    const set = this.#fault;
    if (set === undefined || number < set.at || 'lie' in set.fault) return undefined;
    const reading = READING.includes(kind);
    if ('error' in set.fault) {
      const only = ONLY_AT[set.fault.error];
      if (only === undefined) set.reading ??= reading;
      if (only === undefined ? set.reading !== reading : !only.includes(kind)) return undefined;
    }
    if (!('error' in set.fault && set.fault.lasting)) this.#fault = undefined;
    return set.fault;
  }

  #refuseWhenDead(): void {
    if (this.#dead) throw new CrashError('the process is dead');
  }
}

interface PathParts {
  readonly parent: string;
  readonly name: string;
}

/** Of every path asked for: they are few, and asked for again and again. */
const pathParts = new Map<string, PathParts>();

function split(path: string): PathParts {
  let parts = pathParts.get(path);
  if (parts === undefined) {
    parts = { parent: dirname(path), name: basename(path) };
    pathParts.set(path, parts);
  }
  return parts;
}

/** As the real storage has it: a sync that failed for want of room is a sync that failed. */
function coded(error: unknown, kind: OperationKind, path: string): unknown {
  const said = systemError(error, `${kind} ${path}`);
  return kind === 'sync' || kind === 'datasync' ? noShortage(said) : said;
}

/** What a directory and all below it take. */
function usedBy(directory: ModelDirectory): Room {
  const used = { bytes: 0, files: 0 };
  for (const node of directory.entries.values()) {
    const inside = node instanceof ModelFile ? { bytes: node.size, files: 0 } : usedBy(node);
    used.bytes += inside.bytes;
    used.files += inside.files + 1;
  }
  return used;
}

/** An error as node:fs throws it. */
function errno(code: string): Error {
  return Object.assign(new Error(`${code}: in the model`), { code });
}
