/**
 * Which shard a key belongs to. By hash: even whatever the keys are. By range: shard i holds the keys
 * from split i − 1 up to split i, so that an ordered read touches few shards. Fixed for the life of
 * the data.
 */
import { OmenError } from '../errors.ts';
import { KeyCodec } from '../schema/key.ts';
import type { KeyType } from '../schema/schema.ts';

/** As it stands in `omendb.json`: 'hash', or the sortable keys where shards 1, 2, … begin. */
export type Partitioning =
  | { readonly kind: 'hash' }
  | { readonly kind: 'range'; readonly splits: readonly (readonly [number, number])[] };

/** What `open` takes. */
export type PartitionOption = 'hash' | 'range' | { readonly splits: readonly unknown[] };

/**
 * @throws OMEN_INVALID_OPTIONS unless there are shards − 1 ascending split keys; OMEN_INVALID_KEY
 */
export function parsePartition(
  option: PartitionOption,
  shards: number,
  key: KeyType,
): Partitioning {
  if (option === 'hash') return { kind: 'hash' };
  if (option === 'range' && shards === 1) return { kind: 'range', splits: [] };
  if (option === null || typeof option !== 'object' || !Array.isArray(option.splits)) {
    throw new OmenError(
      'OMEN_INVALID_OPTIONS',
      'The option "partition" is "hash" or { splits: [key, …] }, the keys where shards 1, 2, … begin.',
    );
  }
  const codec = new KeyCodec(key, true);
  const splits = option.splits.map((split): [number, number] => {
    codec.encode(split);
    return [codec.hi, codec.lo];
  });
  if (splits.length !== shards - 1 || !isAscending(splits)) {
    throw new OmenError(
      'OMEN_INVALID_OPTIONS',
      `${shards} shards take ${shards - 1} ascending split keys; ${splits.length} were given.`,
    );
  }
  return { kind: 'range', splits };
}

function isAscending(splits: readonly (readonly [number, number])[]): boolean {
  return splits.every(
    ([hi, lo], i) =>
      i === 0 || splits[i - 1][0] < hi || (splits[i - 1][0] === hi && splits[i - 1][1] < lo),
  );
}

/** Whether this, read from a file, is the partitioning of a database with so many shards. */
export function isPartitioning(value: unknown, shards: number): value is Partitioning {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'hash') return true;
  if (value.kind !== 'range' || !('splits' in value) || !Array.isArray(value.splits)) return false;
  const { splits } = value;
  const isWord = (word: unknown): boolean =>
    Number.isInteger(word) && (word as number) >>> 0 === word;
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every(isWord);
  return splits.length === shards - 1 && splits.every(isPair) && isAscending(splits);
}

/** The shard of a sortable key. `hash` is its `hashKey`. */
export function shardOf(
  partitioning: Partitioning,
  shards: number,
  hash: number,
  hi: number,
  lo: number,
): number {
  if (partitioning.kind === 'hash') return Math.floor((hash * shards) / 4294967296);
  const { splits } = partitioning;
  let shard = 0;
  while (shard < splits.length) {
    const [splitHi, splitLo] = splits[shard];
    if (hi < splitHi || (hi === splitHi && lo < splitLo)) break;
    shard++;
  }
  return shard;
}
