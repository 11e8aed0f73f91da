/**
 * The soak: `npm run soak -- --hours 24`. The verdicts go to stdout, what is going on to stderr. The exit
 * code is 0 where every promise held, 1 where one did not, 2 where the options make no sense.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columnsOf } from './columns.ts';
import { passes, type Verdict, verdictsOf } from './judge.ts';
import { LivePage } from './live.ts';
import { parseSoak, type SoakOptions, USAGE } from './options.ts';
import { pageData, pageOf } from './page.ts';
import { PLANTED, soakPlanted } from './planted.ts';
import { Soaked } from './record.ts';
import { Soak } from './soak.ts';
import { clock, lineOf, StatusLine } from './status.ts';

const MARKS = { true: 'holds', false: 'BROKEN', null: 'not shown' } as const;

function textOf(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ promise, holds, figure, bound }) => {
      return `${MARKS[`${holds}`].padEnd(9)}  ${promise}\n           ${figure} (${bound})`;
    })
    .join('\n');
}

/** The command that does the same again. */
function replayOf({ options }: Soaked['state']): string {
  const { durationMs, keys, lanes, seed, rate } = options;
  const given = rate === null ? '' : ` --rate ${rate}`;
  return `npm run soak -- --seconds ${durationMs / 1000} --keys ${keys} --threads ${lanes} --seed ${seed}${given}`;
}

function begin(options: SoakOptions): Soaked {
  if (!options.resume) return Soaked.begin(options);
  const soaked = Soaked.resume(options);
  process.stderr.write(`Goes on at ${clock(soaked.state.elapsedMs)}.\n`);
  return soaked;
}

async function soak(given: SoakOptions): Promise<number> {
  const soaked = begin(given);
  const { options } = soaked.state;
  const status = new StatusLine();
  const { livePort } = options;
  // While it goes on, of the newest alone: all of them are on disk.
  const data = () => pageData(soaked, soaked.recent, []);
  const live = livePort === null ? null : await LivePage.open(livePort, data);
  if (live !== null) process.stderr.write(`${live.url}\n`);
  const course = new Soak(soaked, {
    onSample: (sample) => {
      status.at(soaked, sample);
      live?.now(lineOf(soaked, sample));
    },
    onFault: (what) => {
      status.end();
      process.stderr.write(`${course.step}: ${what}\n`);
    },
  });
  process.once('SIGINT', () => {
    course.end();
    status.end();
    process.stderr.write('Ending. Again to break it off; --resume goes on with it.\n');
  });
  await course.run();
  status.end();
  await live?.close();
  const verdicts = verdictsOf(soaked);
  const isGood = passes(verdicts, soaked.state.elapsedMs);
  const report = options.report ?? join(options.directory, 'report.html');
  writeReport(report, soaked, verdicts);
  if (options.json) process.stdout.write(`${JSON.stringify({ isGood, verdicts }, null, 2)}\n`);
  else process.stdout.write(`${textOf(verdicts)}\n`);
  const isOver = soaked.state.elapsedMs >= options.durationMs;
  if (isGood && isOver && options.isTemporary) rmSync(options.directory, { recursive: true });
  else process.stderr.write(`The report: ${report}\n`);
  if (!isGood) {
    for (const { step, what } of soaked.broken) process.stdout.write(`${step}: ${what}\n`);
    const { seed } = soaked.state.options;
    process.stdout.write(
      `Seed ${seed}; it is kept in ${options.directory}\n${replayOf(soaked.state)}\n`,
    );
  }
  return isGood ? 0 : 1;
}

function writeReport(path: string, soaked: Soaked, verdicts: readonly Verdict[]): void {
  const { faults, broken, state } = soaked;
  const samples = soaked.samples();
  writeFileSync(path, pageOf(pageData(soaked, samples, verdicts)));
  const { quarters, ...rest } = state;
  const data = { ...rest, verdicts, broken, faults, columns: columnsOf(samples) };
  writeFileSync(`${path.replace(/\.html$/, '')}.json`, `${JSON.stringify(data)}\n`);
}

/** Four minutes, or as long as is asked for: by then it has to be found. */
async function findPlanted(name: string, args: readonly string[]): Promise<number> {
  const at = args.indexOf('--planted');
  const given = args.toSpliced(at, 2);
  const isTimed = given.some((arg) => /^--(hours|minutes|seconds)$/.test(arg));
  const { caught, seconds, told } = await soakPlanted(
    name,
    isTimed ? given : ['--minutes', '4', ...given],
  );
  const outcome = caught ? `caught after ${seconds} s: ${told}` : `ESCAPED in ${seconds} s`;
  process.stdout.write(`${name} (${PLANTED[name].what}): ${outcome}\n`);
  return caught ? 0 : 1;
}

async function main(): Promise<number> {
  try {
    const options = parseSoak(process.argv.slice(2));
    if (options === null) {
      process.stderr.write(USAGE);
      return 0;
    }
    if (options.planted === null) return await soak(options);
    return await findPlanted(options.planted, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}`);
    return 2;
  }
}

process.exitCode = await main();
