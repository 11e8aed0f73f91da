/**
 * The memory of memtables, reused: V8 does not count SharedArrayBuffers, and would let gigabytes of
 * replaced ones pile up before it collects any. Memory is reused once no client can still be reading
 * it, which clients say in the control block (`Control.isRead`): neither by its present view nor by one
 * that a snapshot pins. Memory that was put to use after the newest pinned view is none of a snapshot's,
 * so that one which is held for hours keeps no more from being reused than it sees.
 */
import type { Control } from '../view/control.ts';
import { layoutMemtable, type MemtableHandle, type MemtableShape } from '../view/memtable.ts';
import { arenaBytesFor } from './memtable-writer.ts';

interface Retired {
  readonly memory: SharedArrayBuffer;
  /** The first view that may have named it, and the first one without it. */
  readonly first: number;
  readonly end: number;
}

/** Retired memory that waits to be reused; what is beyond is left to the collector. */
const RETIRED_MAX = 2;

export class MemtablePool {
  readonly #shape: MemtableShape;
  readonly #storesKeys: boolean;
  readonly #control: Control;
  readonly #shard: number;
  readonly #clients: () => Iterable<number>;
  #retired: Retired[] = [];
  /** The first view that may name a memtable in use, by its number. */
  readonly #first = new Map<number, number>();
  #nextId: number;

  constructor(
    shape: MemtableShape,
    storesKeys: boolean,
    control: Control,
    shard: number,
    clients: () => Iterable<number>,
  ) {
    this.#shape = shape;
    this.#storesKeys = storesKeys;
    this.#control = control;
    this.#shard = shard;
    this.#clients = clients;
    // Never a number that an earlier owner of the shard used: clients know memtables by it.
    this.#nextId = control.version(shard) * 65536 + 1;
  }

  /** @param rowBytes of a row that has to fit, be it larger than memtables are now */
  take(rowBytes = 0): MemtableHandle {
    const arenaBytes = arenaBytesFor(rowBytes);
    if (arenaBytes > this.#shape.arenaBytes) {
      const shape = { ...this.#shape, arenaBytes };
      return this.#handle(shape, new SharedArrayBuffer(layoutMemtable(shape).bytes));
    }
    const free = this.#retired.findIndex(
      ({ first, end }) => !this.#control.isRead(this.#shard, this.#clients(), first, end),
    );
    const memory =
      free >= 0
        ? this.#retired.splice(free, 1)[0].memory
        : new SharedArrayBuffer(layoutMemtable(this.#shape).bytes);
    return this.#handle(this.#shape, memory);
  }

  #handle(shape: MemtableShape, memory: SharedArrayBuffer): MemtableHandle {
    const id = this.#nextId++;
    this.#first.set(id, this.#control.version(this.#shard) + 1);
    return { id, memory, shape, storesKeys: this.#storesKeys };
  }

  /** Bytes of memory that waits to be reused. */
  get bytes(): number {
    return this.#retired.reduce((sum, { memory }) => sum + memory.byteLength, 0);
  }

  /** Lets go of all memory that waits to be reused. */
  clear(): void {
    this.#retired = [];
  }

  /** Gives back memory that view `end` and later ones do not name. */
  retire(handle: MemtableHandle, end: number): void {
    const first = this.#first.get(handle.id) ?? 0;
    this.#first.delete(handle.id);
    this.#retired.push({ memory: handle.memory, first, end });
    if (this.#retired.length > RETIRED_MAX) this.#retired.shift();
  }
}
