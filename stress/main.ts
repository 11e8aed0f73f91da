/**
 * Runs a stress by name: `npx node stress/main.ts crash [--seed N] [--cases N] [--case NAME]`. Failures go to
 * stdout, each with the command that replays it; what is going on goes to stderr.
 */
import { parseArgs } from 'node:util';
import { crash, parseCase, replay } from './crash.ts';

const USAGE = `Usage: npx node stress/main.ts crash [options]

  --seed N     draws other cases; the same number, the same cases (default: the time)
  --cases N    how many (default 2000)
  --case NAME  runs the one case that a failure named
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      cases: { type: 'string', default: '2000' },
      case: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || positionals.length !== 1 || positionals[0] !== 'crash') {
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  if (values.case !== undefined) {
    await replay(parseCase(values.case));
    process.stdout.write('This case passes.\n');
    return 0;
  }
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const cases = Number(values.cases);
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(cases)) {
    process.stderr.write(USAGE);
    return 2;
  }
  process.stderr.write(`crash: seed ${seed}, ${cases} cases\n`);
  const failures = await crash({
    seed,
    cases,
    onFailure: (name, error) => {
      process.stdout.write(`npx node stress/main.ts crash --case '${name}'\n  ${String(error)}\n`);
    },
    onProgress: (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${done} cases`);
    },
  });
  process.stdout.write(`${cases} cases, ${failures} failed (seed ${seed})\n`);
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
