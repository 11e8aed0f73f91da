/**
 * Judges a run of `npm test -- --tap`: counts its tests, holds the coverage of src/ to its floor, and
 * closes with `N passed, N failed`. Exits with 0 only where everything passed. Whatever else went
 * wrong (types, lint, the floor, a run that broke off) counts as one failure, so that the line never
 * looks green when the exit code is not. Runs under the machine's own Node, 20 or newer.
 *
 *   node scripts/verdict.js <log> <exit code of npm test> <coverage-summary.json>
 */
import { existsSync, readFileSync } from 'node:fs';

const LINES_PERCENT_MIN = 80;

const [logPath = '', exitCode = '1', coveragePath = ''] = process.argv.slice(2);
const { passed, failed, skipped, isWhole } = countTests(readFileSync(logPath, 'utf8'));
const faults = [];
if (passed === 0 && failed === 0) faults.push('no test ran');
else if (!isWhole) faults.push('the run broke off: a test may have hung, or ended its process');
if (exitCode !== '0' && failed === 0) faults.push(`npm test exited with ${exitCode}`);
if (exitCode === '0' && failed === 0) faults.push(...coverageFaults());

for (const fault of faults) console.log(`FAILED: ${fault}`);
const failures = failed + (faults.length > 0 ? 1 : 0);
console.log(`${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failures > 0 ? 1 : 0;

/**
 * The counts that AVA prints below its plan (`1..N`), which is the last thing it prints. A run that
 * broke off before, for instance because a test hung, has the tests it told of until then.
 *
 * @param {string} log
 */
function countTests(log) {
  const plan = [...log.matchAll(/^1\.\.\d+$/gm)].at(-1);
  if (plan === undefined) {
    const told = [...log.matchAll(/^(ok|not ok) \d+ - /gm)].map(([, outcome]) => outcome);
    const passed = told.filter((outcome) => outcome === 'ok').length;
    return { passed, failed: told.length - passed, skipped: 0, isWhole: false };
  }
  const summary = log.slice(plan.index);
  /** @param {string} what */
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(summary)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip'), isWhole: true };
}

/** @returns {string[]} */
function coverageFaults() {
  if (!existsSync(coveragePath)) return ['the run left no coverage'];
  const { pct, covered, total } = JSON.parse(readFileSync(coveragePath, 'utf8')).total.lines;
  console.log(`coverage of src/: ${pct} % of lines (${covered} of ${total})`);
  if (pct >= LINES_PERCENT_MIN) return [];
  return [`${pct} % of the lines of src/ are covered, ${LINES_PERCENT_MIN} % are the floor`];
}
