/**
 * Which shard a key belongs to. By hash: even whatever the keys are. By range: shard i holds the keys
 * from split i − 1 up to split i, so that an ordered read touches few shards. Fixed for the life of
 * the data; only where the splits are to be told from the first bulk load, the first shard has all keys
 * until then.
 */
import { OmenError } from '../errors.ts';
import { KeyCodec } from '../schema/key.ts';
import { isVariable, type KeyType } from '../schema/schema.ts';
import { type Bound, isBelow } from './bounds.ts';

/** A split as it stands in `omendb.json`: a sortable key's words, a utf8 key, a binary key in Base64. */
type WrittenSplit = readonly [number, number] | string;

/** As it stands in `omendb.json`: 'hash', or the keys where shards 1, 2, … begin, none while they are not known. */
export type Partitioning =
  | { readonly kind: 'hash' }
  | { readonly kind: 'range'; readonly splits: readonly WrittenSplit[] };

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
  if (option === 'range') return WITHOUT_SPLITS;
  if (option === null || typeof option !== 'object' || !Array.isArray(option.splits)) {
    throw new OmenError(
      'OMEN_INVALID_OPTIONS',
      'The option "partition" is "hash", "range" or { splits: [key, …] }, the keys where shards 1, 2, … begin.',
    );
  }
  const codec = new KeyCodec(key, true);
  const splits = option.splits.map((split) => {
    codec.encode(split);
    return writeSplit(codec, key);
  });
  if (splits.length !== shards - 1 || !isAscending(splits, key)) {
    throw new OmenError(
      'OMEN_INVALID_OPTIONS',
      `${shards} shards take ${shards - 1} ascending split keys; ${splits.length} were given.`,
    );
  }
  return { kind: 'range', splits };
}

/** Shards 1, 2, … begin at these keys, which ascend. */
export function partitionedAt(splits: readonly Bound[], key: KeyType): Partitioning {
  return { kind: 'range', splits: splits.map((split) => writeSplit(split, key)) };
}

/** By ranges that are to be told from the first bulk load. */
export const WITHOUT_SPLITS: Partitioning = { kind: 'range', splits: [] };

/** Whether the splits are to be told from the first bulk load. */
export function lacksSplits(partitioning: Partitioning, shards: number): boolean {
  return partitioning.kind === 'range' && partitioning.splits.length < shards - 1;
}

function writeSplit({ hi, lo, bytes }: Bound, type: KeyType): WrittenSplit {
  if (bytes === null) return [hi, lo];
  const { memory, start, end } = bytes;
  return memory.buffer.toString(type === 'utf8' ? 'utf8' : 'base64', start, end);
}

/** @throws OMEN_INVALID_KEY for what `writeSplit` does not write */
function readSplit(split: WrittenSplit, type: KeyType): Bound {
  if (typeof split !== 'string') return { hi: split[0], lo: split[1], bytes: null };
  const codec = new KeyCodec(type, true);
  codec.encode(type === 'utf8' ? split : Buffer.from(split, 'base64'));
  const { hi, lo, bytes } = codec;
  return { hi, lo, bytes };
}

/** The splits of a partitioning, to be compared with keys. */
export function splitsOf(partitioning: Partitioning, type: KeyType): Bound[] {
  if (partitioning.kind === 'hash') return [];
  return partitioning.splits.map((split) => readSplit(split, type));
}

function isAscending(splits: readonly WrittenSplit[], type: KeyType): boolean {
  const read = splits.map((split) => readSplit(split, type));
  return read.every((split, i) => i === 0 || isBelow(read[i - 1], split));
}

/** Whether this, read from a file, is the partitioning of a database with so many shards. */
export function isPartitioning(
  value: unknown,
  shards: number,
  type: KeyType,
): value is Partitioning {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'hash') return true;
  if (value.kind !== 'range' || !('splits' in value) || !Array.isArray(value.splits)) return false;
  const { splits } = value;
  const isWord = (word: unknown): boolean =>
    Number.isInteger(word) && (word as number) >>> 0 === word;
  const isPair = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every(isWord);
  const isText = (text: unknown): boolean => typeof text === 'string' && text.isWellFormed();
  const isWritten = isVariable(type) ? isText : isPair;
  const isCount = splits.length === shards - 1 || splits.length === 0;
  return isCount && splits.every(isWritten) && isAscending(splits, type);
}

/** The shard of a key where shards begin at `splits`, which `splitsOf` gives. */
export function shardOf(splits: readonly Bound[], key: Bound): number {
  let shard = 0;
  while (shard < splits.length && !isBelow(key, splits[shard])) shard++;
  return shard;
}
