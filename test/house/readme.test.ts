/** The README shows code that runs: its first example is the one under test in examples/. */
import { readFileSync } from 'node:fs';
import test from 'ava';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test("the README's first example is examples/quick-start.ts", (t) => {
  const [, ...lines] = read('examples/quick-start.ts').split('\n');
  const code = lines.join('\n').trim().replace("'../src/index.ts'", "'omendb'");
  t.true(read('README.md').includes(`\`\`\`ts\n${code}\n\`\`\``));
});
