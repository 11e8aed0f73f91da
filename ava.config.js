/** Files whose tests take longest, the longest first: begun last, one of them would be waited for alone. */
const LONGEST = [
  'shard-worker/engine-crash',
  'stress/soak/soak',
  'conformance/conformance',
  'coordinator/full-disk',
  'coordinator/bulk-load',
  'coordinator/death',
  'bench/engine',
];

/** @param {string} file */
function rank(file) {
  const at = LONGEST.findIndex((name) => file.endsWith(`/${name}.test.ts`));
  return at < 0 ? LONGEST.length : at;
}

export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts'],
  timeout: '120s',
  workerThreads: false,
  /** @type {(a: string, b: string) => number} */
  sortTestFiles: (a, b) => rank(a) - rank(b) || Number(a > b) - Number(a < b),
};
