/**
 * The suite that abstract-level publishes, under tape, over databases of OmenLevel: a process of its
 * own, whose output and exit code tell what came of it. Its arguments are the directory that the databases
 * are made in and their options, as JSON.
 *
 * The suite runs a second time over sublevels, and closes these only, never the databases below, each of
 * which has threads; so a database is closed here once a test has ended with all of its sublevels closed.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { OmenLevel, type OmenLevelOptions } from '../../src/level.ts';

type Tape = (name: string, body: (t: Assertions) => unknown) => void;

interface Assertions {
  teardown(end: () => unknown): void;
}

interface Sublevel {
  readonly status: string;
}

/** What abstract-level's declarations leave out. */
interface Private {
  _sublevel(...how: unknown[]): Sublevel;
}

type Suite = (options: {
  readonly test: (name: string, body: (t: Assertions) => unknown) => void;
  readonly factory: (options?: OmenLevelOptions) => OmenLevel;
}) => void;

// Neither declares types.
const require = createRequire(import.meta.url);
const tape: Tape = require('tape');
const suite: Suite = require('abstract-level/test');

const [, , directory, given] = process.argv;
const options: OmenLevelOptions = JSON.parse(given);
const sublevelsOf = new Map<OmenLevel, Sublevel[]>();
let made = 0;

/** Opened with the options above, which the suite must not see: it compares those it gave itself. */
class Level extends OmenLevel {
  override _open(given: OmenLevelOptions): Promise<void> {
    return super._open({ ...given, ...options });
  }
}

function factory(given?: OmenLevelOptions): OmenLevel {
  const level = new Level(join(directory, String(made++)), given);
  const sublevels: Sublevel[] = [];
  sublevelsOf.set(level, sublevels);
  const inner = level as unknown as Private;
  const make = inner._sublevel;
  inner._sublevel = (...how) => {
    const sublevel = make.apply(inner, how);
    sublevels.push(sublevel);
    return sublevel;
  };
  return level;
}

async function closeLeft(): Promise<void> {
  for (const [level, sublevels] of sublevelsOf) {
    if (sublevels.length === 0 || sublevels.some(({ status }) => status !== 'closed')) continue;
    sublevelsOf.delete(level);
    await close(level);
  }
}

/** One of the suite's tests leaves a sublevel in a state that keeps what is above it from closing. */
async function close(level: OmenLevel): Promise<void> {
  try {
    await level.close();
  } catch {
    await level.database.close();
  }
}

suite({
  test(name, body) {
    tape(name, (t) => {
      t.teardown(closeLeft);
      return body(t);
    });
  },
  factory,
});
