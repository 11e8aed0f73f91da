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

export class ModelFile {
  #cached = new Uint8Array(0);
  #size = 0;
  #durable = new Uint8Array(0);
  #order = 0;
  /** Versions since the last sync, oldest first: of each sector, and of the size. */
  #sectors = new Map<number, Version<Uint8Array>[]>();
  #sizes: Version<number>[] = [];

  get size(): number {
    return this.#size;
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.byteLength, this.#size - position));
    target.set(this.#cached.subarray(position, position + count));
    return count;
  }

  write(source: Uint8Array, position: number): void {
    const end = position + source.byteLength;
    this.#reserve(end);
    this.#cached.set(source, position);
    this.#changed(position, end, Math.max(this.#size, end));
  }

  truncate(bytes: number): void {
    this.#reserve(bytes);
    this.#cached.fill(0, bytes);
    this.#changed(bytes, this.#size, bytes);
  }

  sync(): void {
    const durableSize = settle(this.#sizes) ?? this.#durable.byteLength;
    const durable = new Uint8Array(durableSize);
    durable.set(this.#durable.subarray(0, durableSize));
    for (const [sector, versions] of this.#sectors) {
      const image = settle(versions);
      if (image !== undefined) place(durable, sector, image);
      if (versions.length === 0) this.#sectors.delete(sector);
    }
    this.#durable = durable;
  }

  /** The sync that failed. */
  lose(): void {
    for (const version of this.#sizes) version.lost = true;
    for (const versions of this.#sectors.values()) {
      for (const version of versions) version.lost = true;
    }
  }

  clone(): ModelFile {
    const copy = new ModelFile();
    copy.#cached = this.#cached.slice();
    copy.#size = this.#size;
    copy.#durable = this.#durable.slice();
    copy.#order = this.#order;
    copy.#sizes = this.#sizes.map((version) => ({ ...version }));
    for (const [sector, versions] of this.#sectors) {
      copy.#sectors.set(
        sector,
        versions.map((version) => ({ ...version })),
      );
    }
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
    const file = new ModelFile();
    const size = choose(this.#durable.byteLength, this.#sizes);
    const content = new Uint8Array(size);
    content.set(this.#durable.subarray(0, size));
    for (const [sector, versions] of this.#sectors) {
      const image = choose(null, versions);
      if (image !== null) place(content, sector, image);
      if (policy === 'garbled' && random() < 0.2) place(content, sector, noise(random));
    }
    file.#cached = content;
    file.#size = size;
    file.#durable = content.slice();
    return file;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#cached.byteLength) return;
    const grown = new Uint8Array(Math.max(bytes, 2 * this.#cached.byteLength));
    grown.set(this.#cached);
    this.#cached = grown;
  }

  /** Notes the sectors from byte `start` to `end`, and the size, as they are now. */
  #changed(start: number, end: number, size: number): void {
    const order = ++this.#order;
    if (size !== this.#size) this.#sizes.push({ order, value: size, lost: false });
    this.#size = size;
    if (start >= end) return;
    const first = Math.floor(start / SECTOR_BYTES);
    const after = Math.ceil(end / SECTOR_BYTES);
    const images = this.#cached.slice(first * SECTOR_BYTES, after * SECTOR_BYTES);
    for (let sector = first; sector < after; sector++) {
      const offset = (sector - first) * SECTOR_BYTES;
      const value = images.subarray(offset, offset + SECTOR_BYTES);
      const versions = this.#sectors.get(sector);
      const version = { order, value, lost: false };
      if (versions === undefined) this.#sectors.set(sector, [version]);
      else versions.push(version);
    }
  }
}

/** Takes out what a sync makes durable, and returns it; lost versions newer than that remain. */
function settle<T>(versions: Version<T>[]): T | undefined {
  const newest = versions.findLastIndex((version) => !version.lost);
  return versions.splice(0, newest + 1).at(-1)?.value;
}

function place(content: Uint8Array, sector: number, image: Uint8Array): void {
  const offset = sector * SECTOR_BYTES;
  if (offset < content.byteLength) {
    content.set(image.subarray(0, content.byteLength - offset), offset);
  }
}

function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: SECTOR_BYTES }, () => random() * 256);
}
