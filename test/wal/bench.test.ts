import test from 'ava';
import { run } from '../../bench/wal.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('the benchmark of the log runs', async (t) => {
  const directory = temporaryDirectory(t);
  const { commits, files } = await run({ directory, frameBytes: [4096, 65536], commitsMax: 3 });
  t.is(commits.length, 12);
  for (const { median, ratio } of commits) t.true(median > 0 && ratio > 0);
  t.true(files.rotate > 0);
});
