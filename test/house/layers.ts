/**
 * Who may import whom, from the top of the engine to its bottom.
 *
 * - `uses`: parts of src/ that may be imported.
 * - `types`: parts and packages of which only types may be imported: values come in as parameters.
 * - `node`: modules of Node that reach beyond the memory of a thread; the others are free to use.
 * - `packages`: npm packages.
 */
export interface Layer {
  readonly uses: readonly string[];
  readonly types?: readonly string[];
  readonly node?: readonly string[];
  readonly packages?: readonly string[];
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
  'node:process',
  'node:url',
  'node:util',
  'node:zlib',
];

const BASE = ['schema', 'errors.ts', 'shared-memory.ts'];
const PARTS = ['ring', 'rmi', 'wal', 'arrow', 'storage'];

export const LAYERS: Readonly<Record<string, Layer>> = {
  cli: { uses: ['import.ts', 'index.ts'], packages: ['commander'] },
  server: { uses: ['index.ts'] },
  'level.ts': { uses: ['level', 'with-room.ts', 'index.ts'], packages: ['abstract-level'] },
  'keyv.ts': { uses: ['with-room.ts', 'index.ts'] },
  'import.ts': { uses: ['import'] },
  import: {
    uses: ['index.ts'],
    node: ['node:sqlite'],
    packages: ['lmdb', 'classic-level'],
  },
  level: { uses: ['index.ts'], packages: ['abstract-level'] },
  'with-room.ts': { uses: ['index.ts'] },
  'index.ts': {
    uses: ['coordinator', 'errors.ts'],
    types: ['shard-worker', 'load', 'view', 'schema'],
  },
  coordinator: {
    uses: ['shard-worker', 'export', 'load', 'view', ...PARTS, ...BASE],
    types: ['apache-arrow'],
    node: ['node:worker_threads', 'node:diagnostics_channel', 'node:stream', 'node:stream/web'],
    packages: ['comlink', 'piscina', 'prom-client'],
  },
  'shard-worker': {
    uses: ['view', ...PARTS, ...BASE],
    node: ['node:worker_threads'],
    packages: ['comlink', 'piscina'],
  },
  export: {
    uses: ['load', 'arrow', 'storage', 'schema', 'errors.ts'],
    types: ['apache-arrow', 'hyparquet'],
    node: ['node:stream'],
    packages: ['hyparquet-writer'],
  },
  load: {
    uses: ['view', ...PARTS, ...BASE],
    types: ['apache-arrow'],
    node: ['node:stream'],
    packages: ['piscina', 'hyparquet'],
  },
  view: {
    uses: [...PARTS, ...BASE],
    types: ['apache-arrow'],
    node: ['node:v8', 'node:vm'], // to have buffers collected that V8 does not count
  },
  ring: { uses: BASE },
  rmi: { uses: BASE },
  wal: { uses: BASE, types: ['storage'] },
  arrow: { uses: BASE, types: ['storage'], packages: ['flatbuffers', 'apache-arrow'] },
  storage: { uses: BASE, node: ['node:fs'] },
  schema: { uses: ['errors.ts'] },
  'shared-memory.ts': { uses: [], node: ['node:ffi'] }, // to hint where pages come from
  'errors.ts': { uses: [] },
};

/**
 * Single files that may do what their part may not. The lock is about processes, not about data: it
 * has to be real even where the storage is a model of one. Commands remove the directories that they made.
 */
export const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'src/coordinator/lock.ts': ['node:fs', 'node:net'],
  'src/cli/directories.ts': ['node:fs'],
  'src/import/foreign.ts': ['node:fs'],
};

/** Packages that are slow to load: nobody waits for them who does not use what they are for. */
export const SLOW: readonly string[] = [
  'apache-arrow',
  'hyparquet',
  'hyparquet-writer',
  'prom-client',
  'lmdb',
  'classic-level',
];
