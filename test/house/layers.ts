/**
 * Who may import whom: the table of ARCHITECTURE, from the top of the engine to its bottom.
 *
 * - `uses`: parts of src/ that may be imported.
 * - `types`: parts of which only types may be imported: they come in as parameters.
 * - `node`: modules of Node that reach beyond this thread's memory; the others are free to use.
 * - `packages`: npm packages; `lazy` ones are slow to load and only come by `import()`.
 */
export interface Layer {
  readonly uses: readonly string[];
  readonly types?: readonly string[];
  readonly node?: readonly string[];
  readonly packages?: readonly string[];
  readonly lazy?: readonly string[];
}

/** Modules of Node that every part may use. */
export const PURE_NODE: readonly string[] = [
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:os',
  'node:path',
  'node:perf_hooks',
  'node:url',
  'node:util',
  'node:zlib',
];

const BASE = ['schema', 'errors.ts'];
const PARTS = ['ring', 'rmi', 'wal', 'arrow', 'storage'];

export const LAYERS: Readonly<Record<string, Layer>> = {
  cli: { uses: ['index.ts'] },
  server: { uses: ['index.ts'] },
  'index.ts': { uses: ['coordinator', 'errors.ts'], types: ['schema', 'view'] },
  coordinator: {
    uses: ['shard-worker', 'view', ...PARTS, ...BASE],
    node: ['node:worker_threads', 'node:diagnostics_channel', 'node:stream', 'node:stream/web'],
    packages: ['comlink', 'piscina'],
    lazy: ['apache-arrow'],
  },
  'shard-worker': {
    uses: ['view', ...PARTS, ...BASE],
    node: ['node:worker_threads'],
    packages: ['comlink', 'piscina'],
  },
  view: {
    uses: [...PARTS, ...BASE],
    node: ['node:v8', 'node:vm'], // to have buffers collected that V8 does not count
    lazy: ['apache-arrow'],
  },
  ring: { uses: BASE },
  rmi: { uses: BASE },
  wal: { uses: BASE, types: ['storage'] },
  arrow: { uses: BASE, types: ['storage'], packages: ['flatbuffers'] },
  storage: { uses: BASE, node: ['node:fs'] },
  schema: { uses: ['errors.ts'] },
  'errors.ts': { uses: [] },
};
