/** Prometheus's own program to check metrics: the machine's, or that of Debian's package, unpacked aside. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { has, unpacked } from '../../stress/debian.ts';

/** Null where it is neither here nor to be had. */
export function findPromtool(): string | null {
  if (has('promtool')) return 'promtool';
  const root = unpacked(['prometheus']);
  return root && join(root, 'usr/bin/promtool');
}

/** What it finds fault with: '' where that is nothing. */
export function faultsOf(promtool: string, text: string): string {
  const { status, stdout, stderr, error } = spawnSync(promtool, ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return status === 0 ? stderr : `${stdout}${stderr}exit code ${status}`;
}
