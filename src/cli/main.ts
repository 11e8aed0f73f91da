#!/usr/bin/env node
/**
 * The command `omendb`, as a process. A first interrupt asks the command to end, which leaves nothing half
 * done; a second one ends the process at once, which a database survives, too.
 */
import process from 'node:process';
import { Interruption } from './context.ts';
import { run } from './program.ts';

const ending = new AbortController();
for (const [name, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const) {
  process.on(name, () => {
    if (ending.signal.aborted) process.exit(128 + number);
    ending.abort(new Interruption(128 + number));
  });
}

/** Who reads the results may stop doing so (`omendb … | head`). */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(128 + 13);
});

let isReading = false;
const code = await run(process.argv.slice(2), {
  stdin: () => {
    isReading = true;
    return process.stdin;
  },
  stdout: process.stdout,
  binary: () => process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: ending.signal,
  now: () => performance.now(),
});
process.exitCode = code;
// An input that goes on keeps no process alive whose command has ended.
if (isReading) process.stdin.destroy();
