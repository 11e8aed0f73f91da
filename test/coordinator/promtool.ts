/** Prometheus's own program to check metrics. */
import { spawnSync } from 'node:child_process';
import { findProgram, type Program } from '../../stress/debian.ts';

/** Null where it is neither here nor to be had. */
export function findPromtool(): Program | null {
  return findProgram('promtool', ['prometheus']);
}

/** What it finds fault with: '' where that is nothing. */
export function faultsOf({ command, env }: Program, text: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, ['check', 'metrics'], {
    ...{ input: text, env },
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return status === 0 ? stderr : `${stdout}${stderr}exit code ${status}`;
}
