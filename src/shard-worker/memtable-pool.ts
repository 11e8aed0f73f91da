/**
 * The memory of memtables, reused: V8 does not count SharedArrayBuffers, and would let gigabytes of
 * replaced ones pile up before it collects any. Memory is reused once no client can still be reading
 * it, which clients say in the control block (`Control.oldestSeen`).
 */
import type { Control } from '../view/control.ts';
import { layoutMemtable, type MemtableHandle, type MemtableShape } from '../view/memtable.ts';
import { arenaBytesFor } from './memtable-writer.ts';

interface Retired {
  readonly memory: SharedArrayBuffer;
  /** The first view without it. */
  readonly version: number;
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
    const oldest = this.#control.oldestSeen(this.#shard, this.#clients());
    const free = this.#retired.findIndex(({ version }) => version <= oldest);
    const memory =
      free >= 0
        ? this.#retired.splice(free, 1)[0].memory
        : new SharedArrayBuffer(layoutMemtable(this.#shape).bytes);
    return this.#handle(this.#shape, memory);
  }

  #handle(shape: MemtableShape, memory: SharedArrayBuffer): MemtableHandle {
    return { id: this.#nextId++, memory, shape, storesKeys: this.#storesKeys };
  }

  /** Lets go of all memory that waits to be reused. */
  clear(): void {
    this.#retired = [];
  }

  /** Gives back memory that view `version` and later ones do not name. */
  retire(handle: MemtableHandle, version: number): void {
    this.#retired.push({ memory: handle.memory, version });
    if (this.#retired.length > RETIRED_MAX) this.#retired.shift();
  }
}
