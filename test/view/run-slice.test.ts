import test from 'ava';
import fc from 'fast-check';
import { layoutSegment } from '../../src/arrow/layout.ts';
import { KeyCodec } from '../../src/schema/key.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { CrashStorage } from '../../src/storage/crash.ts';
import { MergeSource, mergeBlock } from '../../src/view/merge-keys.ts';
import { firstRowFrom, openSlice, wholeSlice } from '../../src/view/run-slice.ts';
import { Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { boundOf, type PlainKey } from '../../src/view/spilled-run.ts';
import { unindexed } from '../../src/view/unindexed.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { a: 'float64' } });
const STORAGE = new CrashStorage();

function plain(key: number): PlainKey {
  const codec = new KeyCodec('int64', false);
  codec.encode(key);
  return { hi: codec.hi, lo: codec.lo, bytes: null };
}

/** Ascending keys as one segment, as numbers or as words. */
function segmentOf(keys: readonly number[], form: 'f64' | 'words'): SegmentHandle {
  const layout = layoutSegment(SCHEMA, keys.length, [0], { flags: false });
  const body = new SharedArrayBuffer(layout.bodyBytes);
  const { offset } = layout.key.data;
  if (form === 'f64') new Float64Array(body, offset).set(keys);
  else {
    const words = new Uint32Array(body, offset, 2 * keys.length);
    for (const [i, key] of keys.entries()) {
      const { hi, lo } = plain(key);
      words.set([lo, hi], 2 * i);
    }
  }
  return unindexed(form, layout, body);
}

const anyRun = fc
  .uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 40 })
  .map((keys) => keys.sort((a, b) => a - b));

test('a slice of runs is what each has between two keys, whatever segments it lies in', (t) => {
  const cuts = fc.option(fc.integer({ min: -60, max: 60 }));
  const forms = fc.constantFrom<'f64' | 'words'>('f64', 'words');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyRun, fc.integer({ min: 1, max: 9 }), forms), { maxLength: 12 }),
      cuts,
      cuts,
      fc.integer({ min: 1, max: 20 }),
      (all, from, to, most) => {
        const runs = all.map(([keys, size, form]) => {
          const parts: SegmentHandle[] = [];
          for (let at = 0; at < keys.length; at += size) {
            parts.push(segmentOf(keys.slice(at, at + size), form));
          }
          return parts;
        });
        const [first, last] = [from === null ? null : plain(from), to === null ? null : plain(to)];
        const slice = { ...wholeSlice(runs), from: first, to: last };
        const open = openSlice(STORAGE, SCHEMA, slice);
        const sources = MergeSource.over(open.runs, open.trims);
        const segments = open.runs.flat();
        const chosen = { source: new Uint16Array(most), row: new Uint32Array(most) };
        const merged: number[] = [];
        for (;;) {
          const count = mergeBlock(sources, chosen, most);
          if (count === 0) break;
          for (let i = 0; i < count; i++) {
            merged.push(segments[chosen.source[i]].number(chosen.row[i]));
          }
        }
        const isIn = (key: number) => (from === null || key >= from) && (to === null || key < to);
        const wanted = new Set(all.flatMap(([keys]) => keys).filter(isIn));
        t.deepEqual(
          merged,
          [...wanted].sort((a, b) => a - b),
        );
      },
    ),
    { numRuns: 400 },
  );
});

test('the first row from a key on is found without an index', (t) => {
  for (const form of ['f64', 'words'] as const) {
    const keys = [-7, -1, 0, 3, 4, 900];
    const segment = new Segment(segmentOf(keys, form), 'int64');
    for (const key of [-8, -7, -6, 0, 1, 900, 901]) {
      const wanted = keys.filter((one) => one < key).length;
      t.is(firstRowFrom(segment, boundOf(plain(key))), wanted);
    }
  }
});
