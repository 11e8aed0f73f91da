import test from 'ava';
import fc from 'fast-check';
import { readTime } from '../../src/load/time-format.ts';

const at = (...parts: [number, number, number, number?, number?, number?, number?]) =>
  Date.UTC(parts[0], parts[1] - 1, ...(parts.slice(2) as [number]));

test('times since 1970, in any unit, are rounded down to milliseconds', (t) => {
  const cases: [string, string, number | undefined][] = [
    ['s', '1700000000', 1_700_000_000_000],
    ['s', '1700000000.123', 1_700_000_000_123],
    ['s', '1700000000.1239', 1_700_000_000_123],
    ['s', '-0.5', -500],
    ['s', '-0.0001', -1],
    ['s', '1.', 1000],
    ['s', '1e3', undefined],
    ['s', '', undefined],
    ['ms', '5.9', 5],
    ['ms', '-5.1', -6],
    ['ms', '-0', 0],
    ['ms', '8640000000000001', undefined],
    ['us', '1999', 1],
    ['us', '-1', -1],
    ['ns', '1700000000123456789', 1_700_000_000_123],
    ['ns', '1.5', undefined],
    ['iso', '2026-01-02T03:04:05Z', at(2026, 1, 2, 3, 4, 5)],
    ['iso', '5', undefined],
  ];
  for (const [format, text, wanted] of cases)
    t.is(readTime(format)(text), wanted, `${format} ${text}`);
});

test('patterns', (t) => {
  const cases: [string, string, number | undefined][] = [
    ['DD/MM/YYYY', '02/01/2026', at(2026, 1, 2)],
    ['DD/MM/YYYY', '31/02/2026', undefined],
    ['DD/MM/YYYY', '2/1/2026', undefined],
    ['D.M.YYYY', '2.1.2026', at(2026, 1, 2)],
    ['D.M.YYYY', '2x1x2026', undefined],
    ['YYYYMMDD', '20260102', at(2026, 1, 2)],
    ['YYYY-MM-DD HH:mm:ss[.fff]', '2026-01-02 03:04:05', at(2026, 1, 2, 3, 4, 5)],
    ['YYYY-MM-DD HH:MM:SS[.fff]', '2026-01-02 03:04:05.6789', at(2026, 1, 2, 3, 4, 5, 678)],
    ['DD MMM YYYY HH:mm Z', '02 Jan 2026 03:04 +01:30', at(2026, 1, 2, 1, 34)],
    ['DD MMM YYYY', '02 Foo 2026', undefined],
    ['M/D/YYYY h:mm A', '1/2/2026 12:05 am', at(2026, 1, 2, 0, 5)],
    ['M/D/YYYY h:mm A', '1/2/2026 1:05 PM', at(2026, 1, 2, 13, 5)],
    ['M/D/YYYY h:mm A', '1/2/2026 13:05 PM', undefined],
    ['YYYY-MM-DD[ HH:mm]', '2026-01-02', at(2026, 1, 2)],
    ['YYYY-MM-DD HH:mm', '2026-01-02 24:00', undefined],
    ['(YYYY)+MM*DD', '(2026)+01*02', at(2026, 1, 2)],
  ];
  for (const [format, text, wanted] of cases)
    t.is(readTime(format)(text), wanted, `${format} ${text}`);
  for (const format of [
    '',
    'x',
    'HH:mm',
    'YYYY-MM',
    'YYYY-MM-DD[',
    'YYYY-MM-DD]',
    'DD DD/MM/YYYY',
  ]) {
    t.throws(() => readTime(format), { code: 'OMEN_INVALID_OPTIONS' }, format);
  }
});

test('what is written by a pattern is read back by it', (t) => {
  const two = (value: number) => String(value).padStart(2, '0');
  const dates = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(dates, (date) => {
      const [day, month] = [date.getUTCDate(), date.getUTCMonth() + 1];
      const [hour, minute, second] = [
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ];
      const ms = String(date.getUTCMilliseconds()).padStart(3, '0');
      const text = `${two(day)}/${two(month)}/${date.getUTCFullYear()} ${two(hour)}:${two(minute)}:${two(second)}.${ms}`;
      t.is(readTime('DD/MM/YYYY HH:mm:ss[.fff]')(text), date.getTime());
      t.is(readTime('s')(String(date.getTime() / 1000)), date.getTime());
      t.is(readTime('ns')(`${date.getTime()}999999`), date.getTime());
    }),
  );
});
