import test from 'ava';
import { formatAddress, parseAddress } from '../../examples/asn/address.ts';
import { bytes, count, seconds, table } from '../../examples/terminal.ts';

test('figures read well at every size', (t) => {
  t.is(count(1234567.8), '1,234,568');
  t.is(seconds(1.234), '1.23 s');
  t.is(seconds(12.34), '12.3 s');
  t.deepEqual([0, 1023, 1024, 5 * 2 ** 20, 2 ** 41].map(bytes), [
    '0 B',
    '1,023 B',
    '1.0 KiB',
    '5.0 MiB',
    '2.0 TiB',
  ]);
});

test('a table aligns its cells', (t) => {
  const text = table([
    ['', 'rows'],
    ['one', '1'],
    ['seven', '1,000'],
  ]);
  t.is(text, '           rows\n  one         1\n  seven   1,000');
});

test('addresses turn into numbers and back', (t) => {
  for (const [address, number] of [
    ['0.0.0.0', 0],
    ['1.1.1.1', 16_843_009],
    ['255.255.255.255', 2 ** 32 - 1],
  ] as const) {
    t.is(parseAddress(address), number);
    t.is(formatAddress(number), address);
  }
  for (const text of ['', '1.1.1', '256.0.0.1', '::1', 'example.com']) {
    t.throws(() => parseAddress(text), { instanceOf: TypeError });
  }
});
