import test from 'ava';
import { parseSoak } from '../../../stress/soak/options.ts';
import { clock } from '../../../stress/soak/status.ts';

test('how long a soak takes adds up, and is a minute where nothing is said', (t) => {
  t.is(parseSoak([])?.durationMs, 60_000);
  t.is(parseSoak(['--hours', '1', '--minutes', '2', '--seconds', '3'])?.durationMs, 3_723_000);
  t.is(clock(3_723_000), '1:02:03');
});

test('a page while it goes on has a port of its own, or the one that is given', (t) => {
  t.is(parseSoak([])?.livePort, null);
  t.is(parseSoak(['--live'])?.livePort, 7400);
  t.is(parseSoak(['--live', '--json'])?.livePort, 7400);
  t.is(parseSoak(['--live', '0'])?.livePort, 0);
});

test('what makes no sense is told, help is asked for', (t) => {
  t.is(parseSoak(['--help']), null);
  for (const args of [
    ['--keys', '1'],
    ['--threads', '0'],
    ['--rate', 'high'],
    ['--resume'],
    ['x'],
  ]) {
    t.throws(() => parseSoak(args), { instanceOf: TypeError }, args.join(' '));
  }
});

test('a directory that was not given goes with its soak', (t) => {
  t.like(parseSoak(['--seed', '4']), { isTemporary: true, seed: 4, rate: null });
  t.like(parseSoak(['--dir', '/x']), { isTemporary: false, directory: '/x' });
});
