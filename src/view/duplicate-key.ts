/** Which key comes twice in runs that are not to have any: looked for once it is known that one does. */
import { OmenError } from '../errors.ts';
import { KeyCodec } from '../schema/key.ts';
import type { KeyType } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import type { Bound } from './bounds.ts';
import { MergeSource, mergeBlock } from './merge-keys.ts';
import type { OpenSlice } from './run-slice.ts';
import { boundOf, type PlainKey, plainKeyOf } from './spilled-run.ts';

const BLOCK_ROWS = 4096;

export function rowsIn({ runs, trims }: OpenSlice): number {
  const sums = runs.map((run, i) => {
    const rows = run.reduce((sum, segment) => sum + segment.rows, 0);
    return rows - trims[i].start - (run[run.length - 1].rows - trims[i].end);
  });
  return sums.reduce((sum, rows) => sum + rows, 0);
}

/** The least key that more than one run has, or null. */
export function findDuplicate({ runs, trims }: OpenSlice): PlainKey | null {
  const sources = MergeSource.over(runs, trims);
  const chosen = { source: new Uint16Array(BLOCK_ROWS), row: new Uint32Array(BLOCK_ROWS) };
  for (;;) {
    const before = sources.map(({ index, row, done }) => ({ index, row, done }));
    const count = mergeBlock(sources, chosen, BLOCK_ROWS);
    if (count === 0) return null;
    // Where more rows were passed than chosen, their keys are among these.
    const seen = new Set<string>();
    for (const [i, source] of sources.entries()) {
      let { index, row } = before[i];
      const end = source.done ? source.segments.length : source.index;
      for (; !before[i].done && (index < end || (index === end && row < source.row)); row++) {
        const segment = source.segments[index];
        const last = index === source.segments.length - 1 ? trims[i].end : segment.rows;
        if (row === last) {
          index++;
          row = -1;
          continue;
        }
        const key = plainKeyOf(segment, row);
        const text = `${key.hi} ${key.lo} ${Buffer.from(key.bytes ?? []).toString('latin1')}`;
        if (seen.has(text)) return key;
        seen.add(text);
      }
    }
  }
}

/** A key for a message. */
export function shownKey(type: KeyType, { hi, lo, bytes }: Bound): string {
  const key = new KeyCodec(type, true).decode(hi, lo, bytes);
  return typeof key === 'bigint' ? String(key) : show(key);
}

export function duplicateKey(type: KeyType, key: PlainKey): OmenError {
  return new OmenError(
    'OMEN_DUPLICATE_KEY',
    `The key ${shownKey(type, boundOf(key))} comes more than once, and "onDuplicate" is "error". Nothing was loaded.`,
  );
}

/**
 * @param merged rows that a slice was merged into
 * @throws OMEN_DUPLICATE_KEY where these are not all
 */
export function refuseDuplicates(type: KeyType, open: OpenSlice, merged: number): void {
  const duplicate = merged < rowsIn(open) ? findDuplicate(open) : null;
  if (duplicate !== null) throw duplicateKey(type, duplicate);
}
