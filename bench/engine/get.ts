/** Random hits in the engine against LMDB, sorted-btree and a JS Map of the same rows, `int64 → float64`. */
import { hits } from './hits.ts';
import { count, random, table } from './report.ts';

export interface GetOptions {
  readonly rows?: number;
  readonly shards?: number;
  readonly rounds?: number;
  readonly probes?: number;
  readonly keys?: 'uniform' | 'sequential';
  /** Whether LMDB and sorted-btree, which users never install, take part. */
  readonly peers?: boolean;
}

const MEAN_GAP = 1_000_003;

function ascendingKeys(rows: number, kind: 'uniform' | 'sequential'): Float64Array {
  const next = random(1);
  const keys = new Float64Array(rows);
  for (let i = 0, key = 0; i < rows; i++) {
    key += kind === 'sequential' ? 1 : 1 + Math.floor(2 * MEAN_GAP * next());
    keys[i] = key;
  }
  return keys;
}

export async function run(options: GetOptions = {}) {
  const { rows = 1e7, shards = 2, rounds = 9, probes = 300_000 } = options;
  const { keys: kind = 'uniform', peers = true } = options;
  const keys = ascendingKeys(rows, kind);
  const next = random(2);
  const values = Uint32Array.from({ length: probes }, () => Math.floor(next() * rows));
  const result = await hits(
    { type: 'int64', count: rows, bigints: false, keyAt: (i) => keys[i] },
    { keys: Float64Array.from(values, (position) => keys[position]), values },
    { shards, rounds, peers },
  );
  return { rows, keys: kind, shards, ...result };
}

const NAMES: Readonly<Record<string, string>> = {
  omendb: 'OmenDB get, row object',
  many: 'OmenDB getMany, rows, 1,000 keys a call',
  columns: 'OmenDB getMany, columns, 1,000 keys a call',
  map: 'JS Map',
  tree: 'sorted-btree',
  'lmdb-binary': 'LMDB getBinaryFast, 8-byte binary keys',
  'lmdb-ordered-binary': 'LMDB getBinaryFast, its own key encoding',
};

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, keys, shards, ns, manyNs, columnsNs, indexBytes, windowMax } = result;
  return [
    `Random hits, ${count(rows)} rows int64 → float64 (${keys} keys, ${shards} shards, ` +
      `index ${(indexBytes / rows).toFixed(2)} bytes a key, window at most ${windowMax})`,
    table(
      ['engine', 'ns a get', 'times ours'],
      Object.entries({ ...ns, many: manyNs, columns: columnsNs }).map(([name, one]) => [
        NAMES[name],
        one.toFixed(0),
        (one / ns.omendb).toFixed(2),
      ]),
    ),
  ].join('\n');
}
