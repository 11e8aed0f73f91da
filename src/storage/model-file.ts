/**
 * A file of the model disk (model-disk.ts): what the page cache holds, what the platter holds, and
 * every version of a sector in between.
 *
 * - Reads see `cached`. `durable` is what certainly survives a power cut.
 * - Every write since the last sync leaves a version of each sector it touched. A power cut leaves,
 *   for each such sector by itself, the durable one, any version, or noise: disks write 512 bytes
 *   at once, in any order, and may be caught in the middle.
 * - A sync makes the newest version of every sector durable. A sync that fails marks the versions
 *   as lost: they stay in the cache, may or may not have reached the disk, and no later sync writes
 *   them. That is how Linux treats a page after a write-back error.
 */

export const SECTOR_BYTES = 512;
const NOTHING = new Uint8Array(0);

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * How a power cut treats what was not synced. `prefix`: writes reached the disk in order, up to
 * some moment.
 */
export type CutPolicy = 'nothing' | 'everything' | 'prefix' | 'any' | 'garbled';

interface Version<T> {
  readonly order: number;
  readonly value: T;
  lost: boolean;
}

/** The sectors from number `first` on as one write left them. */
interface Write extends Version<Uint8Array> {
  readonly first: number;
}

/** Bytes behind `size` are zeros. What shares its bytes with another file copies them to change them. */
interface Content {
  bytes: Uint8Array;
  size: number;
  isShared: boolean;
}

export class ModelFile {
  #cached: Content = { bytes: NOTHING, size: 0, isShared: true };
  #durable: Content = { bytes: NOTHING, size: 0, isShared: true };
  #order = 0;
  /** Since the last sync, oldest first. One that is lost is of one sector. */
  #writes: Write[] = [];
  #sizes: Version<number>[] = [];
  /** How often its bytes were changed. */
  changes = 0;

  get size(): number {
    return this.#cached.size;
  }

  read(target: Uint8Array, position: number): number {
    const { bytes, size } = this.#cached;
    const count = Math.max(0, Math.min(target.byteLength, size - position));
    target.set(bytes.subarray(position, position + count));
    return count;
  }

  write(source: Uint8Array, position: number): void {
    this.changes++;
    const before = this.size;
    const end = position + source.byteLength;
    resize(this.#cached, Math.max(before, end));
    this.#cached.bytes.set(source, position);
    this.#changed(position, end, before);
  }

  truncate(bytes: number): void {
    this.changes++;
    const before = this.size;
    resize(this.#cached, bytes);
    this.#changed(bytes, before, before);
  }

  sync(): void {
    const writes = this.#writes;
    if (writes.length + this.#sizes.length === 0) return;
    resize(this.#durable, settle(this.#sizes) ?? this.#durable.size);
    for (const write of writes) if (!write.lost) place(this.#durable, write);
    this.#writes = writes.filter(
      (write, i) => write.lost && !writes.slice(i + 1).some((later) => isOver(write, later)),
    );
  }

  /** The sync that failed. */
  lose(): void {
    for (const version of this.#sizes) version.lost = true;
    this.#writes = this.#writes.flatMap(sectorsOf);
    for (const version of this.#writes) version.lost = true;
  }

  clone(): ModelFile {
    const copy = new ModelFile();
    copy.#cached = shared(this.#cached);
    copy.#durable = shared(this.#durable);
    copy.#order = this.#order;
    copy.#sizes = this.#sizes.map((version) => ({ ...version }));
    copy.#writes = this.#writes.map((write) => ({ ...write }));
    return copy;
  }

  /** A file as it may be found after the power came back. */
  afterPowerCut(policy: CutPolicy, random: Random): ModelFile {
    const lastOrder = Math.floor(random() * (this.#order + 1));
    const choose = <T>(durable: T, versions: readonly Version<T>[]): T => {
      if (policy === 'nothing') return durable;
      if (policy === 'everything') return versions.at(-1)?.value ?? durable;
      if (policy === 'prefix') {
        return versions.findLast((version) => version.order <= lastOrder)?.value ?? durable;
      }
      const pick = Math.floor(random() * (versions.length + 1));
      return pick === versions.length ? durable : versions[pick].value;
    };
    const content = shared(this.#durable);
    const size = choose(content.size, this.#sizes);
    if (size !== content.size || this.#writes.length > 0) resize(content, size);
    const sectors = Map.groupBy(this.#writes.flatMap(sectorsOf), ({ first }) => first);
    for (const [first, versions] of sectors) {
      const value = choose(null, versions);
      if (value !== null) place(content, { first, value });
      if (policy === 'garbled' && random() < 0.2) place(content, { first, value: noise(random) });
    }
    const file = new ModelFile();
    file.#cached = content;
    file.#durable = shared(content);
    return file;
  }

  /** Notes the sectors from byte `start` to `end`, and the size unless it is as before, as they are now. */
  #changed(start: number, end: number, before: number): void {
    const order = ++this.#order;
    const { bytes, size } = this.#cached;
    if (size !== before) this.#sizes.push({ order, value: size, lost: false });
    if (start >= end) return;
    const first = Math.floor(start / SECTOR_BYTES);
    const after = Math.ceil(end / SECTOR_BYTES);
    const value = new Uint8Array((after - first) * SECTOR_BYTES);
    value.set(bytes.subarray(first * SECTOR_BYTES, after * SECTOR_BYTES));
    this.#writes.push({ order, first, value, lost: false });
  }
}

/** Takes out what a sync makes durable, and returns it; lost versions newer than that remain. */
function settle<T>(versions: Version<T>[]): T | undefined {
  const newest = versions.findLastIndex((version) => !version.lost);
  return versions.splice(0, newest + 1).at(-1)?.value;
}

function shared(content: Content): Content {
  content.isShared = true;
  return { ...content };
}

/** Makes a content its own, and as long as that. */
function resize(content: Content, size: number): void {
  const { bytes, isShared } = content;
  if (size > bytes.byteLength || isShared) {
    const capacity = size > bytes.byteLength ? Math.max(size, 2 * bytes.byteLength) : size;
    content.bytes = new Uint8Array(capacity);
    content.bytes.set(bytes.subarray(0, Math.min(size, content.size)));
    content.isShared = false;
  } else if (size < content.size) {
    bytes.fill(0, size, content.size);
  }
  content.size = size;
}

/** Puts sectors in their place, as far as the content reaches, which is its own. */
function place({ bytes, size }: Content, { first, value }: Pick<Write, 'first' | 'value'>): void {
  const offset = first * SECTOR_BYTES;
  if (offset < size) bytes.set(value.subarray(0, size - offset), offset);
}

function sectorsOf(write: Write): Write[] {
  const { first, value } = write;
  if (value.byteLength === SECTOR_BYTES) return [write];
  return Array.from({ length: value.byteLength / SECTOR_BYTES }, (_, i) => ({
    ...write,
    first: first + i,
    value: value.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES),
  }));
}

/** Whether a later write that is not lost has written the sector of an earlier one. */
function isOver({ first }: Write, later: Write): boolean {
  const sectors = later.value.byteLength / SECTOR_BYTES;
  return !later.lost && first >= later.first && first < later.first + sectors;
}

function noise(random: Random): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  for (let i = 0; i < SECTOR_BYTES; i++) bytes[i] = random() * 256;
  return bytes;
}
