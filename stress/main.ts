/**
 * Runs a stress by name: `npm run stress -- crash`. Failures and sums go to stdout, each failure with the
 * command that replays it; what is going on goes to stderr.
 */
import { parseArgs } from 'node:util';
import { type Campaign, campaignsOf } from './campaigns.ts';
import { parseCase, replay } from './crash.ts';
import { type Order, runOrders } from './hands.ts';
import { type Journal, openJournal } from './journal.ts';
import { checkMutants } from './mutants.ts';
import { progress } from './progress.ts';
import { markdownOf, sumsOf, textOf } from './summary.ts';

const USAGE = `Usage: npm run stress -- COMMAND [options]

crash    kills the engine and cuts its power, and checks what every recovery finds
  --layer A      in this process, over a model of a disk (default)
  --layer B      a process of its own, by SIGKILL
  --layer C      a process on a volume of its own, whose plug is pulled: ext4 and xfs, as root
  --everywhere   layer A: every operation and fault of the tests' scenarios, not random ones
  --case NAME    layer A: the one case that a failure named
damage   changes files of a database that was closed, and salvages what is refused
  --everywhere   every byte of a small one, not random ones of a larger one
mutants  puts bugs into a copy of the sources: the tests have to notice each
  --only TEXT    those whose description contains it

summary  what a log adds up to, as a table
  --json, --markdown

  --seed N       the first seed (default: the one after the last in the log, or 1)
  --cases N      how many in all (default: those of one seed)
  --jobs N       so many processes at once (default: 1)
  --log DIR      keeps a log there, to which every run adds: stress.jsonl
`;

const PREFIX = 'npx node stress/main.ts';

interface Extent {
  readonly seed: number | undefined;
  readonly cases: number | undefined;
  readonly jobs: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Whether the user asked to come to an end. */
let isEnding = false;

function endOnInterrupt(): void {
  process.once('SIGINT', () => {
    isEnding = true;
    process.stderr.write('\nEnding, once the seeds under way have. Again to break them off.\n');
  });
}

/** Returns how many failed. */
async function runCampaign(
  campaign: Campaign,
  journal: Journal,
  { jobs, ...extent }: Extent,
): Promise<number> {
  const { run, casesPerSeed } = campaign;
  const obstacle = campaign.obstacle();
  if (obstacle !== null) {
    say(`SKIPPED: ${run} cannot be run here: ${obstacle}`);
    return 0;
  }
  const wanted = extent.cases ?? casesPerSeed;
  let seed = extent.seed ?? journal.nextSeed(run);
  let given = 0;
  const next = (): Order | null => {
    if (isEnding || given >= wanted) return null;
    const cases = Math.min(casesPerSeed, wanted - given);
    given += Number.isFinite(casesPerSeed) ? cases : wanted;
    const replay = campaign.replay(seed, cases);
    return { run, seed: seed++, cases, replay };
  };
  let done = 0;
  let failed = 0;
  const shown = progress(run, wanted);
  await runOrders(jobs, next, ({ seconds, failures, ...outcome }) => {
    done += outcome.cases;
    failed += failures.length;
    if (failures.length > 0) shown.end();
    for (const { replay, error } of failures) say(`${PREFIX} ${replay}\n  ${error}`);
    journal.add({
      run,
      seed: outcome.seed,
      cases: outcome.cases,
      failures: failures.map(({ replay }) => `${PREFIX} ${replay}`),
      seconds: Math.round(seconds * 10) / 10,
    });
    shown.at(done, failed);
  });
  shown.end();
  const total = journal.total(run);
  say(
    `${run}: ${failed} of ${done} cases failed; of all that are logged, ` +
      `${total.failures} of ${total.cases}`,
  );
  return failed;
}

function runMutants(journal: Journal, only: string): number {
  const escaped: string[] = [];
  let mutants = 0;
  checkMutants({
    only,
    onResult: (what, caughtBy, skipped) => {
      if (skipped !== null) {
        say(`SKIPPED: ${what}, as no plug can be pulled here: ${skipped}`);
        return;
      }
      mutants++;
      say(`${caughtBy === null ? 'ESCAPED' : `caught by ${caughtBy}`}: ${what}`);
      if (caughtBy === null) escaped.push(`${PREFIX} mutants --only '${what}'`);
    },
  });
  const seed = journal.nextSeed('mutants');
  journal.add({ run: 'mutants', seed, cases: mutants, failures: escaped });
  say(`${mutants - escaped.length} of ${mutants} mutants caught`);
  return escaped.length;
}

/** A whole number from 1 on, or undefined where none is given. Throws for anything else. */
function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new TypeError(`--${name} is no ${text}`);
  return number;
}

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      layer: { type: 'string', default: 'A' },
      everywhere: { type: 'boolean', default: false },
      case: { type: 'string' },
      only: { type: 'string', default: '' },
      seed: { type: 'string' },
      cases: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      log: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const extent = {
    seed: numberOf('seed', values.seed),
    cases: numberOf('cases', values.cases),
    jobs: numberOf('jobs', values.jobs) ?? 1,
  };
  return { ...values, ...extent, command: positionals.length === 1 ? positionals[0] : '' };
}

async function main(): Promise<number> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return 2;
  }
  const { command, layer, everywhere } = options;
  if (options.case !== undefined && command === 'crash') {
    await replay(parseCase(options.case));
    say('This case passes.');
    return 0;
  }
  if (command === 'summary') {
    const sums = sumsOf(openJournal(options.log ?? null).entries);
    if (options.json) say(JSON.stringify(sums, null, 2));
    else say(options.markdown ? markdownOf(sums) : textOf(sums));
    return 0;
  }
  const campaigns = campaignsOf(command, layer, everywhere);
  if (options.help || (campaigns.length === 0 && command !== 'mutants')) {
    process.stderr.write(USAGE);
    return options.help ? 0 : 2;
  }
  const journal = openJournal(options.log ?? null);
  let failed = 0;
  endOnInterrupt();
  if (command === 'mutants') failed = runMutants(journal, options.only);
  for (const campaign of campaigns) failed += await runCampaign(campaign, journal, options);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
