/** Where the shards of a database by ranges begin, told from all rows of its first load. */
import type { Schema } from '../schema/schema.ts';
import type { PlainKey } from '../view/spilled-run.ts';
import { comesBefore, type LoadPart, order, weightsOf } from './slices.ts';

/** A shard has as many bytes as any other, within about this part of them. */
const PRECISION = 1 / 256;

/**
 * Keys at which so many shards begin, all but the first: each gets about as many bytes. Null where there are
 * too few keys.
 * @param runs sorted, each with its parts in key order
 */
export function planSplits(
  schema: Schema,
  runs: readonly (readonly LoadPart[])[],
  shards: number,
): PlainKey[] | null {
  const bytesOf = (weights: readonly { readonly bytes: number }[]): number =>
    weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = runs.flat();
  // What is in files is known by its blocks, whatever the step.
  const total = bytesOf(parts.flatMap((part) => weightsOf(schema, part, Number.POSITIVE_INFINITY)));
  const step = (PRECISION * total) / shards;
  const weights = parts.flatMap((part) => weightsOf(schema, part, step)).sort(order);
  const splits: PlainKey[] = [];
  let bytes = 0;
  // Keys that are left: where there are no more than splits to find, each is one.
  let left = weights.filter(({ key }, i) => i > 0 && comesBefore(weights[i - 1].key, key)).length;
  for (const [i, { key, bytes: own }] of weights.entries()) {
    if (i > 0 && comesBefore(weights[i - 1].key, key)) {
      const lacking = shards - 1 - splits.length;
      const isDue = bytes >= (total * (splits.length + 1)) / shards || left === lacking;
      if (lacking > 0 && isDue) splits.push(key);
      left--;
    }
    bytes += own;
  }
  return splits.length === shards - 1 ? splits : null;
}
