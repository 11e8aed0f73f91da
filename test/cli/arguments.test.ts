import test from 'ava';
import { InvalidArgumentError } from 'commander';
import {
  bytesArgument,
  countArgument,
  delimiterArgument,
  fieldArgument,
  mapArgument,
  several,
  timesArgument,
  wholeArgument,
} from '../../src/cli/arguments.ts';

test('arguments become what they mean', (t) => {
  t.is(bytesArgument('1kB'), 1000);
  t.is(countArgument('all'), Number.POSITIVE_INFINITY);
  t.is(countArgument('12'), 12);
  t.deepEqual(
    [delimiterArgument('tab'), delimiterArgument('\\t'), delimiterArgument(';')],
    ['\t', '\t', ';'],
  );
  t.deepEqual(fieldArgument('note:utf8?'), { name: 'note', type: 'utf8?' });
  t.deepEqual(fieldArgument('a:b:int64'), { name: 'a:b', type: 'int64' });
  t.deepEqual(fieldArgument('note'), { name: 'note', type: undefined });
  t.deepEqual(mapArgument('a=b=c'), ['a', 'b=c']);
  t.deepEqual(mapArgument('a=#3'), ['a', 3]);
  t.is(timesArgument('DD/MM/YYYY'), 'DD/MM/YYYY');
  t.deepEqual(timesArgument('at=s'), ['at', 's']);
  const collect = several(wholeArgument);
  t.deepEqual(collect('2', collect('1', undefined)), [1, 2]);
});

test('and what makes no sense is refused', (t) => {
  for (const refused of [
    () => bytesArgument('x'),
    () => wholeArgument('1.5'),
    () => countArgument('none'),
    () => delimiterArgument(''),
    () => fieldArgument(''),
    () => fieldArgument(':int64'),
    () => mapArgument('=a'),
    () => mapArgument('a='),
  ]) {
    t.throws(refused, { instanceOf: InvalidArgumentError });
  }
});
